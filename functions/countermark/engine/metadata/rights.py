"""Whose picture it is, as the result says it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Rights:
    """What is written into the result in place of what the source says; empty is left as it was."""

    creator: str = ""
    copyright: str = ""
    usage_terms: str = ""

    def __bool__(self) -> bool:
        """Tell whether there is anything to write."""
        return bool(self.creator or self.copyright or self.usage_terms)


NO_RIGHTS = Rights()
