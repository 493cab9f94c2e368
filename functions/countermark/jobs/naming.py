"""A name in the parts from which the database makes a unique one, with a number where it is taken."""

from dataclasses import asdict, dataclass, fields

from countermark.names import fold, split_for_number

FLAT_LENGTH = 50
"""Characters that a path keeps that becomes a name: with its suffix and a number it is short enough everywhere."""


@dataclass(frozen=True)
class NameParts:
    """A name, the parts around a number, and all of them folded: equal folds are one file on some system."""

    name: str
    base: str
    suffix: str
    flat: str
    """The base without folders, for a name that can't lie in them: the end of its path."""
    folded: str
    folded_base: str
    folded_suffix: str
    folded_flat: str

    @classmethod
    def of(cls, name: str) -> "NameParts":
        """The parts of a clean name."""
        base, suffix = split_for_number(name)
        parts = (name, base, suffix, base.replace("/", "_")[-FLAT_LENGTH:])
        return cls(*parts, *map(fold, parts))

    def parameters(self) -> dict[str, str]:
        """What the SQL functions take."""
        return asdict(self)


NAME_PARAMETERS = ", ".join(f":{field.name}" for field in fields(NameParts))
