"""What a cell does: it takes a file, and gives back what became of it."""

import json
import traceback
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from ..errors import ImageError, TaskFailed, TooLargeHere
from ..image_mark import examine, memory_of
from ..limits import Limits
from ..options import Options
from ..process import Edited, preview, process
from ..tasks.watermark import Watermark
from .protocol import Ended, Line

ANY_SIZE = 1 << 40  # the process says how large; it is to be trusted
LONGEST_SENTENCE = 2000
_LACKS = (ImportError, PermissionError)


class _Later(BaseException):
    """The memory is not there yet. It is no error: nothing in the engine may catch it."""


class _Desk:
    """What a cell has at hand for one image after another."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.written = b""
        self._options: Options | None = None
        self._logos = 0
        self._granted = 0

    def take_options(self, written: bytes) -> None:
        """Have other options for the images that follow."""
        self.written, self._options = written, None

    def options(self) -> Options:
        """The options of the image."""
        if self._options is None:
            tasks = json.loads(self.written)["tasks"]
            self._logos = sum(memory_of(each["image"]) for each in tasks if each.get("image") and _is_mark(each))
            self.admit(0)  # before they are decoded, as options that are read have seen to
            self._options = Options.model_validate_json(self.written)
        return self._options

    def begin(self, granted: int) -> None:
        """Begin an image, which may have so many bytes without a question."""
        self._granted = granted

    def admit(self, size: int) -> None:
        """Ask the process for memory, if that is more than it has granted."""
        size += self._logos
        if size <= self._granted:
            return
        self.line.send({"admit": size})
        answer, _ = self.line.receive(0)
        if answer.get("refused"):
            raise TooLargeHere(answer["refused"])
        if answer.get("later"):
            raise _Later
        self._granted = size

    def process(self, request: dict[str, Any], source: bytes) -> tuple[dict[str, Any], bytes]:
        """Edit an image."""
        edited = process(source, self.options(), **_named(request, "name", "number"), admit=self.admit)
        return _told(edited)

    def preview(self, request: dict[str, Any], source: bytes) -> tuple[dict[str, Any], bytes]:
        """Make an image small, with its marks."""
        named = _named(request, "name", "number", "longest")
        return _told(preview(source, self.options(), **named, admit=self.admit))

    def look(self, _request: dict[str, Any], source: bytes) -> tuple[dict[str, Any], bytes]:
        """Look at an image that is to be a mark."""
        return {"strongest": examine(source, self.admit)}, b""


def work(line: Line) -> None:
    """Do what is asked until the line ends."""
    desk = _Desk(line)
    deeds: dict[str, Callable[[dict[str, Any], bytes], tuple[dict[str, Any], bytes]]] = {
        "process": desk.process,
        "preview": desk.preview,
        "look": desk.look,
    }
    while True:
        request, data = line.receive(ANY_SIZE)
        if request["do"] == "options":
            desk.take_options(data)
            line.send({})  # what was read of the shared memory can be written over
            continue
        desk.begin(request["granted"])
        answer, result = _answered(deeds[request["do"]], request, data)
        del data
        line.send(answer, result)
        del answer, result


def _answered(
    deed: Callable[[dict[str, Any], bytes], tuple[dict[str, Any], bytes]], request: dict[str, Any], data: bytes
) -> tuple[dict[str, Any], bytes]:
    """Return what is to be said of an image, however it went."""
    try:
        told, result = deed(request, data)
    except _Later:
        return {"later": True}, b""
    except MemoryError:
        return {"failed": TooLargeHere.code, "says": str(TooLargeHere()), "trace": ""}, b""
    except ImageError as error:
        return {"failed": error.code, "says": str(error)[:LONGEST_SENTENCE], "trace": _trace(error)}, b""
    except Ended:
        raise
    except BaseException as error:
        if isinstance(error, ValueError) and request["do"] == "look":
            return {"wrong": str(error)[:LONGEST_SENTENCE]}, b""
        return {"fault": _last_of(traceback.format_exc())}, b""
    return {"done": told}, result


def _trace(error: ImageError) -> str:
    """Return where a task failed, or what the engine lacks in a cell: no fault of the file, and somebody's to mend."""
    cause = error.__cause__
    if cause is None or not (isinstance(error, TaskFailed) or isinstance(cause, _LACKS) or type(cause) is LookupError):
        return ""
    return _last_of("".join(traceback.format_exception(cause)))


def _is_mark(task: dict[str, Any]) -> bool:
    return bool(task.get("task") == Watermark.model_fields["task"].default)


def _named(request: dict[str, Any], *names: str) -> dict[str, Any]:
    return {"limits": Limits(**request["limits"]), **{name: request[name] for name in names}}


def _told(edited: Edited) -> tuple[dict[str, Any], bytes]:
    return {each.name: getattr(edited, each.name) for each in fields(edited) if each.name != "data"}, edited.data


def _last_of(text: str) -> str:
    return text[-LONGEST_SENTENCE:]
