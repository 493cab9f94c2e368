"""One image in, one image out."""

from dataclasses import dataclass

from PIL import Image

from .decode import Opened, open_image, read_frames
from .encode import encode
from .errors import ImageError, TaskFailed
from .formats import FORMATS
from .limits import Deadline, Limits
from .lossless import mark_lossless
from .metadata import kept
from .options import Options
from .task import ImageTask, Output, Picture


@dataclass(frozen=True, kw_only=True)
class Edited:
    """An edited image as a file."""

    data: bytes
    format: str  # name in FORMATS
    width: int  # pixels, as seen
    height: int
    frames: int

    @property
    def media_type(self) -> str:
        """The value of Content-Type."""
        return FORMATS[self.format].media_type

    @property
    def extension(self) -> str:
        """The usual file extension, with its dot."""
        return FORMATS[self.format].extension

    @property
    def extensions(self) -> tuple[str, ...]:
        """Every extension that a file of this format may carry."""
        return FORMATS[self.format].extensions


def process(
    source: bytes, options: Options, *, name: str = "image", number: int = 1, limits: Limits | None = None
) -> Edited:
    """Return the image in `source` edited by the tasks of `options`.

    `name` is the file's name and `number` its place in the job, from 1: marks may show both.
    Raises an `ImageError`; may be called by several threads at once.
    """
    limits = limits or Limits()
    deadline = Deadline(limits.seconds)
    opened = open_image(source, limits)
    output = Output(format=_target(opened, options), quality=options.quality, metadata=options.metadata)
    picture = Picture(
        name=name,
        number=number,
        frames=opened.frames,
        taken=opened.exif.taken,
        profile=opened.image.info.get("icc_profile") or None,
        output=output,
        deadline=deadline,
    )
    marked = mark_lossless(opened, options.tasks, picture)
    if marked is not None:
        return Edited(data=marked.data, format="JPEG", width=marked.width, height=marked.height, frames=1)
    frames = [_edit(frame, options.tasks, picture) for frame in read_frames(opened, deadline)]
    deadline.check()
    data = encode(frames, opened, output, kept(opened, output.metadata))
    width, height = frames[0].size
    shown = len(frames) if FORMATS[output.format].animated else 1
    return Edited(data=data, format=output.format, width=width, height=height, frames=shown)


def _target(opened: Opened, options: Options) -> str:
    if options.format != "keep":
        return options.format
    return opened.format if FORMATS[opened.format].written else "JPEG"


def _edit(frame: Image.Image, tasks: tuple[ImageTask, ...], picture: Picture) -> Image.Image:
    info = frame.info
    for task in tasks:
        picture.deadline.check()
        try:
            frame = task.edit(frame, picture)
        except ImageError:
            raise
        except Exception as error:
            raise TaskFailed(f"The task {task.task} failed: {error}") from error
    frame.info = info
    return frame
