"""An image's turn: what is asked of a cell for it, and the memory that it holds meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..options import Options
from .budget import MIB, Budget

BASE = 96 * MIB  # what every cell may have: the marks that it keeps, and what a codec needs for nothing
UNASKED = 64 * MIB  # what an image may have without a question; most photographs need less


@dataclass(frozen=True)
class Request:
    """What is asked of a cell."""

    said: dict[str, Any]
    source: bytes
    options: Options | None
    scope: str | None
    seconds: float  # of processor time
    most: int  # bytes of the result


class Turn:
    """An image's turn: the memory that it holds, and its end."""

    def __init__(self, budget: Budget, request: Request, need: int) -> None:
        """Hold nothing yet; `need` is what the image is to have beside its file and its cell."""
        self.request = request
        self.until = 0.0  # of the monotonic clock
        self.need = need
        self._budget = budget
        self._held = 0

    @property
    def memory(self) -> int:
        """What it is to hold: its cell's, the file's here and there, what it needs."""
        return BASE + 2 * len(self.request.source) + self.need

    def hold(self, until: float, make_room: Callable[[], bool]) -> None:
        """Wait for the memory."""
        self._budget.hold(self.memory, until, make_room)
        self._held = self.memory

    def grant(self, need: int) -> bool:
        """Hold as much as is needed now, if that is free; `TooLargeHere` when it never is."""
        more = need - self.need
        self._budget.check(self._held + more)
        if not self._budget.try_hold(more):
            return False
        self._held += more
        self.need = need
        return True

    def free(self, but: int = 0) -> None:
        """Give all back but so much."""
        self._budget.free(self._held - but)
        self._held = 0
