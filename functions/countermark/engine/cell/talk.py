"""What a process and a cell say to each other about one image, and what it means."""

import logging
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from ..errors import ImageError, TooLargeHere
from .budget import MIB
from .keeper import Cell
from .protocol import Malformed
from .turn import Turn

log = logging.getLogger(__name__)

Result = TypeVar("Result")
Read = Callable[[dict[str, Any], bytes], Result]

SLACK = 48 * MIB  # beyond what is counted: what an allocator loses between things
_MOST_WORDS = 10  # messages about one image, which may ask for its logos, for all its ways, and for those with its end
_MOST_NEED = 1 << 50  # bytes that a cell may ask for in earnest
_LONGEST_SENTENCE = 4000


class Wrong(ValueError):
    """The image is none that can be a mark."""


class Later(Exception):
    """The image needs more memory, and has to wait for it."""

    def __init__(self, size: int) -> None:
        """Take the bytes that it needs."""
        self.size = size


def converse(cell: Cell, turn: Turn) -> tuple[dict[str, Any], bytes]:
    """Give a cell its work, grant what it needs meanwhile if that is there, and return what becomes of it.

    Raises:
        Later: there is not the memory now; the cell has given up the image.
        Ended, Malformed, TimeoutError: of the line.
    """
    request, line = turn.request, cell.line
    line.wait_until(turn.until)
    cell.allow_memory(turn.memory + SLACK)
    cell.allow_seconds(request.seconds)
    if request.options is not None and cell.options is not request.options:
        line.send({"do": "options"}, request.options.model_dump_json().encode())
        line.receive(0)
        cell.options = request.options
    line.send({**request.said, "granted": turn.need}, request.source)
    for _ in range(_MOST_WORDS):
        told, data = line.receive(request.most)
        wanted = told.get("admit")
        if wanted is None:
            return told, data
        if type(wanted) is not int or not turn.need < wanted < _MOST_NEED:
            raise Malformed("admit")
        try:
            granted = turn.grant(wanted)
        except TooLargeHere as error:
            line.send({"refused": str(error)})
            continue
        if granted:
            cell.allow_memory(turn.memory + SLACK)
        line.send({"granted": True} if granted else {"later": True})
        if not granted and line.receive(0)[0] == {"later": True}:
            raise Later(wanted)
    raise Malformed("too many words")


def understood(told: dict[str, Any], data: bytes, read: Read[Result]) -> Result:
    """Return the result of which a cell tells, as `read` understands it, or raise what it says is wrong."""
    match told:
        case {"done": dict(known)}:
            return read(known, data)
        case {"failed": str(code), "says": str(text), "trace": str(trace)} if kind := _kinds().get(code):
            if trace:
                log.warning("an image failed by no fault of its own: %s", _sentence(trace))
            raise _error(kind, _sentence(text))
        case {"wrong": str(text)}:
            raise Wrong(_sentence(text))
        case {"fault": str(text)}:
            raise Malformed(f"an error of ours: {_sentence(text)}")
    raise Malformed("no answer")


def _sentence(text: str) -> str:
    """Return a text for people and logs on one line: a cell that a file has taken over writes what it likes."""
    return "".join(each if each.isprintable() else " " for each in text[:_LONGEST_SENTENCE])


def _error(kind: type[ImageError], text: str) -> ImageError:
    """Return an error of a kind that may have a way of its own to be made."""
    error = kind.__new__(kind)
    ImageError.__init__(error, text)
    return error


@cache
def _kinds() -> dict[str, type[ImageError]]:
    """Return the kinds of errors of an image, by their codes."""
    kinds = [ImageError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return {kind.code: kind for kind in reversed(kinds)}
