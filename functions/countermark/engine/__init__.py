"""The engine: bytes and options in, marked bytes out. It knows no server and no network."""

from . import tasks  # noqa: F401 - registers the built-in tasks
from .assets import Assets, assets, load_tasks, use_assets
from .dct import why_missing as why_no_kernel
from .errors import (
    CannotEncode,
    DamagedImage,
    EmptyFile,
    EmptyMark,
    FileTooLarge,
    ImageError,
    LeakedPicture,
    NotAnImage,
    ResultTooLarge,
    TaskFailed,
    TookTooLong,
    TooLargeHere,
    TooManyFrames,
    TooManyPixels,
    TruncatedImage,
    UnsupportedFormat,
)
from .formats import FORMATS, Format, sniff
from .limits import Deadline, Limits
from .notes import NOTES
from .options import InvalidOptions, Options, load_options, options_schema, parse_options
from .process import Edited, preview, process
from .task import ImageTask, Output, OutputTask, Picture, prepare_tasks, register, registry

__all__ = [
    "FORMATS",
    "NOTES",
    "Assets",
    "CannotEncode",
    "DamagedImage",
    "Deadline",
    "Edited",
    "EmptyFile",
    "EmptyMark",
    "FileTooLarge",
    "Format",
    "ImageError",
    "ImageTask",
    "InvalidOptions",
    "LeakedPicture",
    "Limits",
    "NotAnImage",
    "Options",
    "Output",
    "OutputTask",
    "Picture",
    "ResultTooLarge",
    "TaskFailed",
    "TooLargeHere",
    "TooManyFrames",
    "TooManyPixels",
    "TookTooLong",
    "TruncatedImage",
    "UnsupportedFormat",
    "assets",
    "load_options",
    "options_schema",
    "parse_options",
    "prepare_tasks",
    "preview",
    "process",
    "register",
    "registry",
    "sniff",
    "use_assets",
    "why_no_kernel",
]

load_tasks(assets().folder)  # last: they import this package
