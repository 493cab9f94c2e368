"""A name in the parts from which the database makes a unique one, with a number where it is taken."""

from dataclasses import astuple, dataclass

from countermark.names import fold, split_for_number


@dataclass(frozen=True)
class NameParts:
    """A name, the parts around a number, and the three folded: equal folds are one file on some system."""

    name: str
    base: str
    suffix: str
    folded: str
    folded_base: str
    folded_suffix: str

    @classmethod
    def of(cls, name: str) -> "NameParts":
        """The parts of a clean name."""
        base, suffix = split_for_number(name)
        return cls(name, base, suffix, fold(name), fold(base), fold(suffix))

    def parameters(self) -> dict[str, str]:
        """What the SQL functions take."""
        return dict(
            zip(("name", "base", "suffix", "folded", "folded_base", "folded_suffix"), astuple(self), strict=True)
        )


NAME_PARAMETERS = ":name, :base, :suffix, :folded, :folded_base, :folded_suffix"
