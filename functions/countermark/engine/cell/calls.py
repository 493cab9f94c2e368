"""The engine's functions, done in a cell."""

import logging
from dataclasses import asdict
from functools import cache
from typing import Any

from ..errors import TookTooLong, TooLargeHere
from ..formats import FORMATS, sniff
from ..limits import Limits, most_of_result
from ..notes import NOTES
from ..options import Options
from ..process import Edited, check_arguments
from ..process import preview as preview_here
from ..process import process as process_here
from ..task import prepare_tasks
from .errors import CellError
from .place import has_cells, in_cell
from .pool import own_pool
from .protocol import Malformed
from .turn import Request

log = logging.getLogger(__name__)

_MOST = 1 << 31  # pixels of a side, frames


def process(
    source: bytes,
    options: Options,
    *,
    scope: str | None = None,
    name: str = "image",
    number: int = 1,
    limits: Limits | None = None,
) -> Edited:
    """Return the image edited, as `engine.process` does, in a cell.

    Args:
        scope: whose image it is, such as a job; a cell works for one scope only. None: a cell for this image alone.

    Raises:
        ImageError: of this image.
        CellBusy, CellLost: of its cell.
        ValueError: an argument is wrong.
    """
    check_arguments(name, number)
    limits = limits or Limits()
    if not _elsewhere():
        return process_here(source, options, name=name, number=number, limits=limits)
    said = {"do": "process", "name": name, "number": number, "limits": asdict(limits)}
    return own_pool().ask(_request(said, source, options, scope, limits), _edited)


def preview(
    source: bytes,
    options: Options,
    *,
    longest: int = 1200,
    scope: str | None = None,
    name: str = "image",
    number: int = 1,
    limits: Limits | None = None,
) -> Edited:
    """Return the image small, as `engine.preview` does, in a cell; the arguments are those of `process`."""
    check_arguments(name, number, longest)
    limits = limits or Limits()
    if not _elsewhere():
        return preview_here(source, options, longest=longest, name=name, number=number, limits=limits)
    said = {"do": "preview", "name": name, "number": number, "longest": longest, "limits": asdict(limits)}
    return own_pool().ask(_request(said, source, options, scope, limits), _edited)


def look(data: bytes) -> int:
    """Return the largest alpha, 0 to 255, of an image that is to be a mark; ValueError says why it can't be one."""
    if not _elsewhere():
        from ..image_mark import examine

        return examine(data)
    try:
        return own_pool().ask(_request({"do": "look"}, data, None, None, Limits()), _strongest)
    except (CellError, TooLargeHere, TookTooLong) as error:
        raise ValueError(f"The image of the mark could not be looked at: {error}") from error


def _request(
    said: dict[str, Any], source: bytes, options: Options | None, scope: str | None, limits: Limits
) -> Request:
    return Request(said, source, options, scope, limits.seconds, most_of_result(len(source), limits))


def _elsewhere() -> bool:
    """Tell whether images are decoded in another process than this one."""
    if in_cell():
        return False
    if not has_cells():
        _say_that_there_are_none()
        prepare_tasks()
        return False
    return True


@cache
def _say_that_there_are_none() -> None:
    log.warning("images are decoded without cells: they need Linux")


def _edited(told: dict[str, Any], data: bytes) -> Edited:
    """Return the result of which a cell tells, after a look at every word of it."""
    form = told.get("format")
    if not isinstance(form, str) or form not in FORMATS or not FORMATS[form].written or sniff(data[:64]) != form:
        raise Malformed("no format")
    width, height, frames = (_number(told, each, _MOST) for each in ("width", "height", "frames"))
    notes = told.get("notes")
    if not isinstance(notes, list) or len(notes) > len(NOTES) or not all(each in NOTES for each in map(str, notes)):
        raise Malformed("notes")
    return Edited(data=data, format=form, width=width, height=height, frames=frames, notes=tuple(map(str, notes)))


def _strongest(told: dict[str, Any], _data: bytes) -> int:
    return _number(told, "strongest", 255)


def _number(told: dict[str, Any], name: str, most: int) -> int:
    number = told.get(name)
    if type(number) is not int or not 0 <= number <= most:
        raise Malformed(name)
    return number
