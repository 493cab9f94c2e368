"""File names as people give them: kept as they are, never trusted as paths."""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

from pathvalidate import sanitize_filename

LEFTOVERS = frozenset({"thumbs.db", "desktop.ini", "__macosx"})
MAX_SEGMENT_BYTES = 255
"""The longest file name that common file systems take, in bytes of UTF-8."""


def clean_name(raw: str) -> str:
    """A relative path with forward slashes that is safe to unpack on any system.

    Folders and Unicode are kept. Drive letters, leading slashes, ``.``, ``..``, control characters, and what
    Windows refuses in a file name are removed; each part is cut to 255 bytes, its extension kept.

    >>> clean_name("../../etc/Été 1.JPG")
    'etc/Été 1.JPG'
    """
    path = unicodedata.normalize("NFC", raw.encode("utf-8", "replace").decode()).replace("\\", "/")
    parts = [_clean_segment(part) for part in re.sub(r"^[A-Za-z]:(?=/)", "", path).split("/")]
    return "/".join(part for part in parts if part) or "image"


def _clean_segment(part: str) -> str:
    if part.strip() in {"", ".", ".."}:
        return ""
    return _shorten(sanitize_filename(_shorten(part), platform="universal"))


def _shorten(part: str, room: int = 0) -> str:
    limit = MAX_SEGMENT_BYTES - room
    if len(part.encode()) <= limit:
        return part
    suffix = PurePosixPath(part).suffix
    if len(suffix.encode()) > 20:
        suffix = ""
    stem = part.removesuffix(suffix).encode()[: limit - len(suffix.encode())].decode("utf-8", "ignore")
    return stem.rstrip(" .") + suffix


def is_leftover(path: str) -> bool:
    """Whether a file is one that systems leave beside people's own, or that they hide.

    >>> is_leftover("day1/.DS_Store"), is_leftover("__MACOSX/day1/a.jpg"), is_leftover("day1/a.jpg")
    (True, True, False)
    """
    parts = [part for part in path.split("/") if part not in {".", ".."}]
    return any(part.startswith(".") or part.lower() in LEFTOVERS for part in parts)


def with_extension(name: str, extensions: tuple[str, ...], known: Iterable[str]) -> str:
    """The name with an extension that fits what the file is.

    Args:
        name: a clean name.
        extensions: those that fit, in lower case with their dot, the usual one first.
        known: extensions of all image formats; one of them is replaced, any other ending is taken for part of the name.
    """
    suffix = PurePosixPath(name).suffix
    if suffix.lower() in extensions:
        return name
    stem = name[: -len(suffix)] if suffix and suffix.lower() in set(known) else name
    folder, _, last = stem.rpartition("/")
    return f"{folder}/" * bool(folder) + _shorten(last, len(extensions[0])) + extensions[0]


def unique_names(names: Iterable[str]) -> list[str]:
    """The names in their order, with equal ones numbered: ``a.jpg``, ``a (2).jpg``.

    Names that differ in case only count as equal, as they do on Windows and macOS.
    """
    taken: set[str] = set()
    unique = []
    for name in names:
        candidate, number = name, 1
        while candidate.casefold() in taken:
            number += 1
            candidate = _numbered(name, number)
        taken.add(candidate.casefold())
        unique.append(candidate)
    return unique


def _numbered(name: str, number: int) -> str:
    path = PurePosixPath(name)
    mark = f" ({number})"
    return str(path.with_name(_shorten(path.stem, len(mark) + len(path.suffix.encode())) + mark + path.suffix))
