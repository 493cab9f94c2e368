"""The engine for the functions: in a cell, within the limits that are set, with the problems that callers know."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from countermark import engine
from countermark.engine import cell
from countermark.http.problems import Interrupted, Unavailable
from countermark.settings import LimitSettings


def engine_limits(limits: LimitSettings) -> engine.Limits:
    """The engine's limits as they are set."""
    return engine.Limits(max_pixels=limits.max_pixels, max_bytes=limits.max_file_bytes, seconds=limits.max_seconds)


def edited(
    source: bytes, options: engine.Options, limits: LimitSettings, *, scope: str, name: str = "image", number: int = 1
) -> engine.Edited:
    """An image, edited.

    Args:
        scope: whose it is. The cell that works on it has seen no other scope's images, and will see none.

    Raises:
        ImageError: it can't be.
        Unavailable: there is no memory for it just now.
        Interrupted: its cell ended early. It may be tried again, and that it was tried is to be counted.
    """
    with _as_problems():
        return cell.process(source, options, scope=scope, name=name, number=number, limits=engine_limits(limits))


def small(source: bytes, limits: LimitSettings, *, scope: str, longest: int) -> engine.Edited:
    """An image without marks, made small; what is raised is as above. A result may be larger than any original."""
    own = replace(engine_limits(limits), max_bytes=max(len(source), limits.max_file_bytes))
    with _as_problems():
        return cell.preview(source, engine.Options(tasks=()), scope=scope, longest=longest, limits=own)


@contextmanager
def _as_problems() -> Iterator[None]:
    try:
        yield
    except cell.CellBusy as error:
        raise Unavailable("The images that are in work take all memory. Try again in a moment.") from error
    except cell.CellLost as error:
        raise Interrupted from error
