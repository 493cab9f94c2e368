"""The engine: bytes and options in, marked bytes out. It knows no server and no network."""

from . import tasks  # noqa: F401 - registers the built-in tasks
from .errors import (
    CannotEncode,
    DamagedImage,
    EmptyFile,
    FileTooLarge,
    ImageError,
    NotAnImage,
    TaskFailed,
    TookTooLong,
    TooManyFrames,
    TooManyPixels,
    TruncatedImage,
    UnsupportedFormat,
)
from .formats import FORMATS, Format, sniff
from .limits import Deadline, Limits
from .options import InvalidOptions, Options, load_options, options_schema, parse_options
from .process import Edited, process
from .task import ImageTask, Output, Picture, register, registry

__all__ = [
    "FORMATS",
    "CannotEncode",
    "DamagedImage",
    "Deadline",
    "Edited",
    "EmptyFile",
    "FileTooLarge",
    "Format",
    "ImageError",
    "ImageTask",
    "InvalidOptions",
    "Limits",
    "NotAnImage",
    "Options",
    "Output",
    "Picture",
    "TaskFailed",
    "TooManyFrames",
    "TooManyPixels",
    "TookTooLong",
    "TruncatedImage",
    "UnsupportedFormat",
    "load_options",
    "options_schema",
    "parse_options",
    "process",
    "register",
    "registry",
    "sniff",
]
