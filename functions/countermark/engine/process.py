"""One image in, one image out."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from math import prod

from PIL import Image

from .decode import Opened, open_image, read_frames, shrink_on_load
from .deep import Deep, Frame, shallow
from .details import read_details
from .encode import encode, in_mode, loses, rewritten, writes_lossless_webp
from .ended import with_end
from .errors import LeakedPicture, TaskFailed, TruncatedImage
from .formats import FORMATS
from .ground import Ground
from .limits import Deadline, Limits, check_pixels, check_result
from .lossless import mark_lossless, suits_coefficients
from .memory import Shape, memory_needed, within_memory
from .metadata import Rights, kept
from .moving import frames_in
from .notes import DEPTH_REDUCED
from .options import Options
from .seen import Witness, check_whole, covered_share
from .task import ImageTask, Output, OutputTask, Picture, attempting
from .tasks.resize import Resize
from .tasks.watermark import Watermark
from .turned import UPRIGHT, swaps

LONGEST_NAME, LARGEST_NUMBER = 4096, 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Edited:
    """An edited image as a file."""

    data: bytes
    format: str  # name in FORMATS
    width: int  # pixels, as seen
    height: int
    frames: int
    notes: tuple[str, ...] = ()  # codes of NOTES: what a person should know

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


Admit = Callable[[int], None]
"""Told how many bytes an image will need; returns when it may have them, or raises `TooLargeHere`.

It is asked before anything is decoded, of WebP before the file is opened, and again when a JPEG file that should have
been marked in its coefficients has to be decoded after all, or may lack its end. Each time it is told all that is
needed from then on: what the image had before is free by then, or counted.
"""


@within_memory()
def process(
    source: bytes,
    options: Options,
    *,
    name: str = "image",
    number: int = 1,
    limits: Limits | None = None,
    admit: Admit | None = None,
) -> Edited:
    """Return the image in `source` edited by the tasks of `options`.

    `name` is the file's name and `number` its place in the job, from 1: marks may show both. `admit` is asked before
    the image takes memory.
    Raises an `ImageError`, or ValueError for an argument; may be called by several threads at once.
    """
    check_arguments(name, number)
    limits = limits or Limits()
    return _attempt(
        partial(_process, options=options, name=name, number=number, limits=limits, admit=admit), source, admit
    )


def _process(source: bytes, options: Options, name: str, number: int, limits: Limits, admit: Admit | None) -> Edited:
    deadline = Deadline(limits.seconds)
    opened = open_image(source, limits, admit)
    picture = _picture(opened, _output(opened, options), name, number, deadline)
    pixel_tasks = [task for task in options.tasks if not isinstance(task, OutputTask)]
    shape = _shape(opened, pixel_tasks, picture.output, limits)
    if shape.coefficients:
        _ask(admit, shape)
        marked = mark_lossless(opened, pixel_tasks, picture)
    else:
        marked = None
    if marked is not None:
        size = {"width": marked.width, "height": marked.height}
        edited = Edited(data=marked.data, format="JPEG", **size, frames=1, notes=_notes(opened))
        return _looked_at(edited, source, limits)
    _ask(admit, replace(shape, coefficients=False, coefficients_held=opened.claims.decoding))
    frames = _edited(opened, pixel_tasks, picture, limits)
    count = opened.frames if FORMATS[picture.output.format].animated else 1
    return _looked_at(_written(frames, count, opened, picture.output), source, limits)


@within_memory()
def preview(
    source: bytes,
    options: Options,
    *,
    longest: int = 1200,
    name: str = "image",
    number: int = 1,
    limits: Limits | None = None,
    admit: Admit | None = None,
) -> Edited:
    """Return a small version of the image with the marks that `process` would draw: JPEG, PNG when transparent.

    Neither side is longer than `longest` pixels; of an animation the first frame is shown, without metadata. `admit` is
    asked before the image takes memory.
    """
    check_arguments(name, number, longest)
    limits = limits or Limits()
    small = partial(_preview, options=options, longest=longest, name=name, number=number, limits=limits, admit=admit)
    return _attempt(small, source, admit)


def check_arguments(name: str, number: int, longest: int = 1) -> None:
    """Raise ValueError when `process` or `preview` cannot do anything with an argument."""
    if len(name) > LONGEST_NAME:
        raise ValueError(f"The name has {len(name):,} characters; at most {LONGEST_NAME:,} are allowed.")
    for what, value in (("number", number), ("longest", longest)):
        if not 1 <= value <= LARGEST_NUMBER:
            raise ValueError(f"`{what}` is a number from 1 to {LARGEST_NUMBER:,}.")


def _attempt(way: Callable[[bytes], Edited], source: bytes, admit: Admit | None) -> Edited:
    """Return what becomes of `source`, with its end when that is all that it lacks."""
    try:
        return way(source)
    except TruncatedImage as error:
        truncated = TruncatedImage(str(error))  # without the frames that the other one holds, and their pictures
    ended = with_end(source, admit or (lambda _: None))
    if ended is None:
        raise truncated
    return way(ended)


def _preview(
    source: bytes, options: Options, longest: int, name: str, number: int, limits: Limits, admit: Admit | None
) -> Edited:
    deadline = Deadline(limits.seconds)
    opened = open_image(source, limits, admit)
    shrink_on_load(opened, longest)
    picture = _picture(opened, Output(format="JPEG", quality=80, metadata="none"), name, number, deadline)
    tasks = [task for task in options.tasks if not isinstance(task, OutputTask)]
    tasks = [Resize(width=longest, height=longest), *tasks]
    _ask(admit, replace(_shape(opened, tasks, picture.output, limits), further=0))
    first = next(iter(read_frames(opened, deadline)))
    if first.mode in {"LA", "RGBA"}:
        picture.output.format = "PNG"
    small = shallow(_edit(first, tasks, picture, opened))
    return _written(iter([small]), 1, opened, picture.output)


def _shape(opened: Opened, tasks: list[ImageTask], output: Output, limits: Limits) -> Shape:
    """Return what the memory depends on that an image takes; raise `TooManyPixels` when a task makes it too large."""
    image, coefficients = opened.image, suits_coefficients(opened, tasks, output)
    size = image.size[::-1] if swaps(opened.exif.orientation) else image.size
    edited = marks = 0
    for task in tasks:
        before = size
        if isinstance(task, Watermark):
            marks += min(2 * task.side_on(size) ** 2, prod(size))  # none is larger than the picture
        with attempting(task):
            size = task.size_of(size)
        check_pixels(*size, opened.frames, limits)
        if not isinstance(task, Watermark):
            edited = max(edited, prod(before) + prod(size))
    return Shape(
        format=opened.format,
        written_as=output.format,
        mode="RGBA" if "transparency" in image.info else image.mode,
        deep=opened.deep,
        bytes=len(opened.source),
        pixels=max(prod(image.size), opened.claims.largest if image.size == opened.size else 0),
        edited=edited,
        written=prod(size),
        marks=marks,
        moving=opened.frames > 1,
        further=prod(size) * (opened.frames - 1 if FORMATS[output.format].animated else 0),
        lossless=output.format == "WebP" and writes_lossless_webp(opened, output),
        turned=opened.exif.orientation in UPRIGHT,
        coloured=not all(task.keeps_grey for task in tasks),
        coefficients_held=opened.claims.marking if coefficients else opened.claims.decoding,
        coefficients=coefficients,
    )


def _ask(admit: Admit | None, shape: Shape) -> None:
    if admit is not None:
        admit(memory_needed(shape))


def _picture(opened: Opened, output: Output, name: str, number: int, deadline: Deadline) -> Picture:
    return Picture(
        name=name,
        number=number,
        frames=opened.frames,
        taken=opened.exif.taken,
        profile=opened.profile,
        output=output,
        deadline=deadline,
        details=lambda: read_details(opened.exif.kept("keep", upright=True, rights=Rights())),
    )


def _notes(opened: Opened) -> tuple[str, ...]:
    return tuple(dict.fromkeys(opened.notes))


def _edited(opened: Opened, tasks: list[ImageTask], picture: Picture, limits: Limits) -> Iterator[Frame]:
    """Decode and edit frame after frame."""
    for frame in read_frames(opened, picture.deadline):
        edited = _edit(frame, tasks, picture, opened)
        check_pixels(*edited.size, opened.frames, limits)  # a task may have said another size
        yield edited


def _written(frames: Iterator[Frame], count: int, opened: Opened, output: Output) -> Edited:
    first = next(frames)
    width, height = first.size
    data = encode(chain([first], frames), count, opened, output, kept(opened, output, upright=True))
    return Edited(
        data=data,
        format=output.format,
        width=width,
        height=height,
        frames=frames_in(data, output.format, count),
        notes=_notes(opened),
    )


def _looked_at(edited: Edited, source: bytes, limits: Limits) -> Edited:
    """Return a result that is not too large; where the administrator has it looked for, there is no other picture."""
    check_result(len(edited.data), len(source), limits)
    if os.environ.get("COUNTERMARK_FIND_LEAKS"):
        from .metadata.leaks import find_leaks

        if found := find_leaks(edited.data):
            raise LeakedPicture(f"The marked image holds another picture: {found[0].format}, {found[0].way}.")
    return edited


def _output(opened: Opened, options: Options) -> Output:
    """Return how the result is written, as the options and then the tasks say."""
    kept_format = opened.format if FORMATS[opened.format].written else "JPEG"
    wanted = kept_format if options.format == "keep" else options.format
    rights = Rights(creator=options.creator, copyright=options.copyright, usage_terms=options.usage_terms)
    output = Output(format=wanted, quality=options.quality, metadata=options.metadata, rights=rights)
    for task in options.tasks:
        if isinstance(task, OutputTask):
            task.change(output)
    return output


def _edit(frame: Frame, tasks: list[ImageTask], picture: Picture, opened: Opened) -> Frame:
    """Return a frame with all tasks done; raise `EmptyMark` when one of the marks cannot be seen then."""
    info = frame.info
    unmarked: list[tuple[Frame, float]] = []  # what becomes of the frame without a mark, and the mark's share
    for number, task in enumerate(tasks):
        picture.deadline.check()
        unmarked = [(_run(task, each, picture, opened), share) for each, share in unmarked]
        if not isinstance(task, Watermark):
            frame = _run(task, frame, picture, opened)
            continue
        with attempting(task):
            stamps = task.stamps(frame.size, picture, partial(Ground.of, frame))
        if not all(isinstance(each, Watermark) for each in tasks[number:]):
            unmarked.append((frame.copy(), covered_share(frame.size, stamps)))
        witness = Witness(frame, stamps)
        frame = _run(task, frame, picture, opened)
        _check(witness, frame, picture, opened)
    view = partial(in_mode, form=FORMATS[picture.output.format], profile=picture.profile)
    for double, share in unmarked:
        check_whole(double, frame, share, view)
        picture.output.exact = True
    frame.info = info
    return frame


def _check(witness: Witness, frame: Frame, picture: Picture, opened: Opened) -> None:
    """Raise `EmptyMark` when the marked frame, as the result will have it, does not show the mark."""
    output = picture.output
    shown = partial(in_mode, form=FORMATS[output.format], profile=picture.profile)
    written = partial(rewritten, opened=opened, output=output)
    if not witness.check(frame, shown, written, loses(opened, output)):
        output.exact = True


def _run(task: ImageTask, frame: Frame, picture: Picture, opened: Opened) -> Frame:
    deep = isinstance(frame, Deep)
    with attempting(task):
        frame = task.edit_deep(frame, picture) if isinstance(frame, Deep) else task.edit(frame, picture)
    if not isinstance(frame, Image.Image | Deep):
        raise TaskFailed(f"The task {task.task} failed: edit returned {frame!r:.100}, and not an image.")
    if deep and not isinstance(frame, Deep):
        opened.notes.append(DEPTH_REDUCED)
    return frame
