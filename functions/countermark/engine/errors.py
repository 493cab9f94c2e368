"""What can go wrong with one image.

    ImageError                 anything that makes this image, and only this one, fail
    ├── EmptyFile              empty_file
    ├── FileTooLarge           file_too_large
    ├── NotAnImage             not_an_image
    ├── UnsupportedFormat      unsupported_format
    ├── DamagedImage           damaged_image
    │   └── TruncatedImage     truncated_image
    ├── TooManyPixels          too_many_pixels
    ├── TooManyFrames          too_many_frames
    ├── TooLargeHere           too_large_here; this machine has not the memory, another one may
    ├── TookTooLong            took_too_long
    ├── EmptyMark              empty_mark
    ├── TaskFailed             task_failed
    ├── CannotEncode           cannot_encode
    │   └── ResultTooLarge     result_too_large
    └── LeakedPicture          leaked_picture; only where results are looked at (metadata/leaks.py)

`code` is stable and meant for programs; the message is a sentence for a person.
"""

from typing import ClassVar


class ImageError(Exception):
    """This image cannot be edited."""

    code: ClassVar[str] = "image_error"

    def __init__(self, message: str | None = None) -> None:
        """Take `message`, a sentence for a person; without one the class speaks for itself."""
        super().__init__(message or type(self).__doc__)


class EmptyFile(ImageError):
    """The file is empty."""

    code = "empty_file"


class FileTooLarge(ImageError):
    """The file has more bytes than are allowed."""

    code = "file_too_large"


class NotAnImage(ImageError):
    """The file is not an image."""

    code = "not_an_image"


class UnsupportedFormat(ImageError):
    """Images of this format cannot be read."""

    code = "unsupported_format"


class DamagedImage(ImageError):
    """The image is damaged and cannot be read."""

    code = "damaged_image"


class TruncatedImage(DamagedImage):
    """The image is cut off: its end is missing."""

    code = "truncated_image"


class TooManyPixels(ImageError):
    """The picture has more pixels than are allowed."""

    code = "too_many_pixels"


class TooManyFrames(ImageError):
    """The animation has more frames than are allowed."""

    code = "too_many_frames"


class TooLargeHere(ImageError):
    """The image needs more memory than there is for one image here."""

    code = "too_large_here"


class TookTooLong(ImageError):
    """The image took longer than is allowed."""

    code = "took_too_long"


class EmptyMark(ImageError):
    """The mark cannot be seen on this picture: choose another colour or `color=auto`, a larger size or more opacity."""

    code = "empty_mark"


class TaskFailed(ImageError):
    """A task could not edit the image."""

    code = "task_failed"


class CannotEncode(ImageError):
    """The marked image cannot be written in this format."""

    code = "cannot_encode"


class ResultTooLarge(CannotEncode):
    """The marked image would be a far larger file than the image that was sent."""

    code = "result_too_large"


class LeakedPicture(ImageError):
    """The marked image holds another picture, which has no mark; it is not handed on."""

    code = "leaked_picture"
