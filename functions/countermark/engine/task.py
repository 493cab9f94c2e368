"""What an image task is, and the registry of all of them."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import TypeVar

from PIL import Image
from pydantic import BaseModel, ConfigDict

from .deep import Deep, Frame
from .errors import ImageError, TaskFailed
from .layout import Size
from .limits import Deadline
from .metadata.rights import NO_RIGHTS, Rights


@dataclass(kw_only=True)
class Output:
    """How the picture will be written; a task may change it."""

    format: str  # a name in FORMATS
    quality: str | int  # "keep", or 1 to 100
    metadata: str  # "keep", "no-location" or "none"
    rights: Rights = NO_RIGHTS  # written into the file
    exact: bool = False  # whether a colour that changes a little would take the mark away


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What a task may want to know of the picture whose frame it edits."""

    name: str  # file name, may contain folders
    number: int  # of the image in its job, from 1
    frames: int
    taken: datetime | None  # when the photograph was taken, by its EXIF
    profile: bytes | None  # its ICC profile
    output: Output
    deadline: Deadline = field(default_factory=lambda: Deadline(60.0))
    details: Callable[[], Mapping[str, str]] = dict  # what its EXIF says, by the names of placeholders
    decided: dict[Hashable, object] = field(default_factory=dict)  # by the first frame, for those behind it


class ImageTask(BaseModel, ABC):
    """One thing done to an image. The fields of a subclass are its options.

    A subclass declares `task: Literal["its-name"] = "its-name"` and implements `edit`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    task: str
    """Name of the task."""

    @classmethod
    def prepare(cls) -> None:
        """Load what `edit` needs: files, fonts, models, modules that are imported late.

        It is called once, before any image, and starts no thread that goes on. `edit` runs in a cell, which opens no
        file and no connection.
        """

    @abstractmethod
    def edit(self, image: Image.Image, picture: Picture) -> Image.Image:
        """Return `image` edited; it may be changed in place.

        `image` is upright, in mode L, LA, RGB, RGBA or CMYK, with 8 bits also where the file has 16. It is called
        once for every frame, by several threads at once. An exception fails this image alone and its message is what
        a person reads.
        """

    def edit_deep(self, image: Deep, picture: Picture) -> Frame:
        """Return a picture of 16 bits edited: of 8 bits, unless the task knows better."""
        return self.edit(image.shallow(), picture)

    def size_of(self, size: Size) -> Size:
        """Return the size of the picture that `edit` makes of one of `size`, both upright, in pixels.

        It is asked before anything is decoded, for the memory that the picture will take and whether it may be so
        large. A task that makes a picture larger says so here.
        """
        return size

    @property
    def keeps_grey(self) -> bool:
        """Whether `edit` leaves a picture without colours when it gets one: it takes less memory then."""
        return False


class OutputTask(ImageTask):
    """A task that touches no pixel and changes how the picture is written."""

    @abstractmethod
    def change(self, output: Output) -> None:
        """Change `output`, before anything is decoded."""

    def edit(self, image: Image.Image, picture: Picture) -> Image.Image:  # noqa: ARG002
        """Return the picture as it is."""
        return image


@contextlib.contextmanager
def attempting(task: ImageTask) -> Iterator[None]:
    """Turn anything that is raised within into an `ImageError` that names the task."""
    try:
        yield
    except (ImageError, MemoryError, KeyboardInterrupt):
        raise
    except (PermissionError, ModuleNotFoundError) as error:
        raise TaskFailed(
            f"The task {task.task} failed: {_said(error)}. While it edits an image a task cannot open files or "
            "connections, start processes or import modules; what it needs is loaded in its method `prepare`."
        ) from error
    except BaseException as error:  # whatever a task raises, sys.exit() too, is this image's own error
        raise TaskFailed(f"The task {task.task} failed: {_said(error)}") from error


def _said(error: BaseException) -> str:
    """Return what an error says, which may be nothing, or fail itself."""
    try:
        said = str(error)
    except Exception:
        said = ""
    return said or type(error).__name__


@cache
def prepare_tasks() -> None:
    """Let every task load what it needs, once in a process; ImportError says which one cannot."""
    for name, task in _TASKS.items():
        try:
            task.prepare()
        except Exception as error:
            raise ImportError(f"The task {name} cannot prepare itself: {error}") from error


_TASKS: dict[str, type[ImageTask]] = {}

#: Name -> task class, as registered.
registry: Mapping[str, type[ImageTask]] = MappingProxyType(_TASKS)

Task = TypeVar("Task", bound=ImageTask)


def register(task: type[Task]) -> type[Task]:
    """Make a task known by its name; a decorator.

    Raises TypeError when the class is not a finished task and ValueError when the name is taken.
    """
    if not (isinstance(task, type) and issubclass(task, ImageTask)):
        raise TypeError(f"{task!r} is not a subclass of ImageTask.")
    if task.__abstractmethods__:
        raise TypeError(f"The task {task.__name__} does not implement {', '.join(sorted(task.__abstractmethods__))}.")
    name = task.model_fields["task"].default
    if not isinstance(name, str):
        raise TypeError(f'The task {task.__name__} needs a name: task: Literal["name"] = "name".')
    if _TASKS.setdefault(name, task) is not task:
        raise ValueError(f"Another task is called {name!r} already.")
    return task
