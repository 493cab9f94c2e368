"""The cells of this process: which image gets which, with how much memory, and when one is used no more."""

import logging
import os
import signal
import threading
import time
from contextlib import suppress
from functools import cache

from ..errors import ImageError, TookTooLong, TooLargeHere
from .budget import Budget, bytes_for_cells
from .errors import CellLost
from .keeper import Cell, Helper
from .protocol import Ended, Malformed
from .talk import Later, Read, Result, Wrong, converse, understood
from .turn import BASE, UNASKED, Request, Turn

log = logging.getLogger(__name__)

MOST_IMAGES = 500  # of one cell
MOST_IDLE = 4  # cells
IDLE_SECONDS = 30.0  # of a cell
ASLEEP_SECONDS = 600.0  # without an image, after which the helper ends
WAITING = 0.25  # seconds that an image may wait for memory for each of those, which nobody holds against it
WALL = 1.75  # seconds that an image may take for each second of processor time that it may have
_TRIES = 3  # at a cell that lives


class Pool:
    """Cells for images, as many at a time as there is memory for; safe to use by many threads."""

    def __init__(self, total: int | None = None) -> None:
        """Begin without a cell; `total` is the memory of all, in bytes."""
        self.budget = Budget(bytes_for_cells() if total is None else total)
        self.helper: Helper | None = None
        self._lock = threading.Lock()
        self._idle: list[Cell] = []  # the one that waits the longest is the first; each holds BASE
        self._last = 0.0
        self._watcher: threading.Thread | None = None

    def ask(self, request: Request, read: Read[Result]) -> Result:
        """Return what a cell says to a request, as `read` understands it.

        Raises:
            ImageError: the cell says so, or one of its limits ended it.
            CellBusy, CellLost: it could not be done.
        """
        waits_until = time.monotonic() + WAITING * request.seconds
        need = max(min(UNASKED, self.budget.total - BASE - 2 * len(request.source)), 0)
        while True:
            turn = Turn(self.budget, request, need)
            turn.hold(waits_until, self._end_an_idle_one)
            turn.until = time.monotonic() + WALL * request.seconds
            try:
                return self._serve(turn, read)
            except Later as later:  # it holds nothing while it waits, so two who wait never wait for each other
                need = later.size

    @property
    def waiting(self) -> list[Cell]:
        """The cells that wait for work; who has waited longest is the first."""
        return list(self._idle)

    def close(self) -> None:
        """End all of it; the next image begins anew."""
        with self._lock:
            self._end_all()

    def _serve(self, turn: Turn, read: Read[Result]) -> Result:
        """Have one cell do it, and see what it is good for then."""
        kept = 0
        try:
            helper, cell = self._take(turn.request.scope)
            began = 0.0
            try:
                began = cell.cpu_seconds()
                told, data = converse(cell, turn)
                result = understood(told, data, read)
            except TimeoutError:
                used = 0.0
                with suppress(OSError):  # it may be gone just now
                    used = cell.cpu_seconds() - began
                helper.end(cell)
                raise _late(turn.request.seconds, used) from None
            except (Ended, Malformed, OSError) as error:
                raise _lost(error, helper.end(cell), turn.request.seconds) from None
            except (Later, Wrong, ImageError) as error:
                spent = isinstance(error, TooLargeHere | TookTooLong)
                kept = self._put_back(helper, cell, turn, good=not spent)
                raise
            except BaseException:
                helper.end(cell)
                raise
            kept = self._put_back(helper, cell, turn, good=True)
            return result
        finally:
            turn.free(but=kept)

    def _take(self, scope: str | None) -> tuple[Helper, Cell]:
        """Return a cell that has seen no other scope's pictures."""
        for _ in range(_TRIES):
            with self._lock:
                self._last = time.monotonic()
                helper = self._running()
                cell = self._idle_one(scope)
            with suppress(CellLost):  # the helper may have been killed, and its cells with it
                cell = cell or helper.take()
                _say_what_is_missing(tuple(helper.missing))
                cell.scope = scope
                if cell.is_waiting:
                    return helper, cell
                helper.end(cell)
        raise CellLost("No cell can be started.")

    def _idle_one(self, scope: str | None) -> Cell | None:
        """Return the cell of a scope that waits for work, the last that had some; it holds no memory any more."""
        for cell in reversed(self._idle):
            if cell.scope == scope:
                self._idle.remove(cell)
                self.budget.free(BASE)
                return cell
        return None

    def _running(self) -> Helper:
        """Return the helper, a new one where the old one has ended or knows other tasks."""
        if self.helper is not None and not self.helper.is_of_today:
            self._end_all()
        if self.helper is None:
            self.helper = Helper()
            self._watch()
        return self.helper

    def _put_back(self, helper: Helper, cell: Cell, turn: Turn, *, good: bool) -> int:
        """Keep a cell for the next image of its scope, or end it; return the memory that it holds from now on.

        One that has grown is not kept: a heap does not always become small again.
        """
        cell.images += 1
        if not good or cell.scope is None or cell.images >= MOST_IMAGES or _has_grown(cell, turn):
            helper.end(cell)
            self._order(helper)
            return 0
        with self._lock:
            if helper is not self.helper:
                helper.end(cell)
                return 0
            self._last = cell.free_since = time.monotonic()
            self._idle.append(cell)
            if len(self._idle) > MOST_IDLE:
                self._end(self._idle.pop(0))
        self._order(helper)
        return BASE

    def _order(self, helper: Helper) -> None:
        """Have a cell made for who comes next; when the helper has ended meanwhile, the next one starts another."""
        with suppress(CellLost):
            helper.order()

    def _end_an_idle_one(self) -> bool:
        """End the cell that has waited for the longest time; tell whether there was one."""
        with self._lock:
            if not self._idle:
                return False
            self._end(self._idle.pop(0))
            return True

    def _end(self, cell: Cell) -> None:
        """End an idle cell."""
        self.budget.free(BASE)
        if self.helper is not None:
            self.helper.end(cell)

    def _end_all(self) -> None:
        """End the idle cells and the helper, and with it those that work."""
        while self._idle:
            self._end(self._idle.pop())
        if self.helper is not None:
            self.helper.close()
            self.helper = None

    def _watch(self) -> None:
        """Look after what nobody uses, as long as there is something."""
        if self._watcher is None:
            self._watcher = threading.Thread(target=self._look, name="cells", daemon=True)
            self._watcher.start()

    def _look(self) -> None:
        while True:
            time.sleep(IDLE_SECONDS / 4)
            with self._lock:
                now = time.monotonic()
                while self._idle and now - self._idle[0].free_since > IDLE_SECONDS:
                    self._end(self._idle.pop(0))
                if now - self._last > ASLEEP_SECONDS and not self.budget.used:
                    self._end_all()
                if self.helper is None:
                    self._watcher = None
                    return


def _has_grown(cell: Cell, turn: Turn) -> bool:
    """Tell whether a cell that waits would hold more than is counted; who needed little is not asked."""
    try:
        return turn.need > UNASKED and cell.grown() > BASE
    except OSError:  # it is gone
        return True


def _late(seconds: float, used: float) -> Exception:
    """Return what it means that an image was not ready in time: final only if it has had its processor time."""
    if used >= seconds:
        return _too_long(seconds)
    return CellLost(f"The image was not ready after {WALL * seconds:g} seconds, of which it worked {used:.1f}.")


def _lost(error: Exception, ended_by: int | None, seconds: float) -> Exception:
    """Return what it means that a cell has ended or talks nonsense: final only when its own limit ended it."""
    if ended_by == signal.SIGXCPU:
        return _too_long(seconds)
    what = f"ended by signal {ended_by}" if isinstance(error, Ended) and ended_by else f"{type(error).__name__} {error}"
    log.warning("a cell was lost: %s", what)
    return CellLost()


def _too_long(seconds: float) -> TookTooLong:
    return TookTooLong(f"The image took longer than the {seconds:g} seconds that are allowed.")


@cache
def _say_what_is_missing(missing: tuple[str, ...]) -> None:
    if missing:
        log.warning("images are decoded in cells with fewer locks: this kernel lacks %s", " and ".join(missing))


_pools: dict[int, Pool] = {}
_pools_lock = threading.Lock()


def own_pool() -> Pool:
    """Return the pool of this process; a fork begins one of its own."""
    pid = os.getpid()
    with _pools_lock:
        if pid not in _pools:
            _pools[pid] = Pool()
        return _pools[pid]


def close() -> None:
    """End the cells of this process."""
    if own := _pools.pop(os.getpid(), None):
        own.close()
