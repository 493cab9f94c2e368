"""File names as people give them: kept as they are, never trusted as paths."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

LEFTOVERS = frozenset({"thumbs.db", "desktop.ini", "__macosx"})

MAX_SEGMENT_BYTES = 255
"""The longest file name that common file systems take, in bytes of UTF-8."""
MAX_FOLDER_BYTES = 400
"""The longest path of folders. With the longest file name, and numbers after some of them, it stays below the next."""
MAX_PATH_BYTES = 700
"""The longest path, so that a key in the object store (1,024 bytes) has room for it and for what comes before it."""
MAX_SUFFIX_BYTES = 20
"""A longer ending is no extension but a part of the name; so is one with a space."""
MIN_FOLDER_BYTES = 16
"""What the name of a folder is cut to at most; when that is not enough, the innermost folders are left out."""
MARK_BYTES = len(" (9999999)")

REFUSED = re.compile(
    '[\x00-\x1f\x7f-\x9f<>:"|?*\ufdd0-\ufdef]|['
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
    + "]"
)
"""What Windows refuses in a name, control characters, and code points that are no characters, which macOS refuses."""
DEVICE = re.compile(r"(CON|PRN|AUX|NUL|CLOCK\$|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9¹²³])(?= *(?:\.|$))", re.IGNORECASE)
"""Windows takes these for devices, whatever follows the dot."""
IGNORED = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Code points that can't be seen; ext4 and HFS+ pass over them when they compare names without regard to case."""


def clean_name(raw: str) -> str:
    """A relative path with forward slashes that is safe to unpack on any system.

    Folders and Unicode are kept. Drive letters, leading slashes, ``.``, ``..``, control characters, and what
    Windows refuses in a file name are removed, and parts of which nothing can be seen; each part is cut to 255 bytes,
    its extension kept, and the folders to 400 in all. A clean name stays as it is.

    >>> clean_name("../../etc/Été 1.JPG")
    'etc/Été 1.JPG'
    """
    path = raw.encode("utf-8", "replace").decode().replace("\\", "/")
    parts = [_clean_segment(part) for part in re.sub(r"^[A-Za-z]:(?=/)", "", path).split("/")]
    *folders, name = [part for part in parts if part] or ["image"]
    return "/".join([*_shorten_folders(folders), name])


def _clean_segment(part: str, limit: int = MAX_SEGMENT_BYTES) -> str:
    """Each step may undo what another has done, so they are taken until nothing changes."""
    before = None
    while part != before:
        before = part
        part = unicodedata.normalize("NFC", REFUSED.sub("", part)).rstrip(" .")
        part = _shorten(DEVICE.sub(r"\1_", part, count=1) if DEVICE.match(part) else part, limit)
    return part if fold(part).strip() else ""


def _shorten(part: str, limit: int) -> str:
    """A file name of at most so many bytes, which keeps its extension."""
    if len(part.encode()) <= limit:
        return part
    suffix = _suffix(part)
    return _cut(part.removesuffix(suffix), limit - len(suffix.encode())).rstrip(" .") + suffix


def _shorten_folders(folders: Sequence[str]) -> Sequence[str]:
    """The longest names are cut first, and all alike."""
    folders = folders[: MAX_FOLDER_BYTES // (MIN_FOLDER_BYTES + 1)] if _length(folders) > MAX_FOLDER_BYTES else folders
    limit = MAX_SEGMENT_BYTES
    while _length(folders) > MAX_FOLDER_BYTES:
        limit -= 1
        folders = [_clean_segment(folder, limit) for folder in folders]
    return folders


def _length(folders: Sequence[str]) -> int:
    return len("/".join(folders).encode())


def _suffix(part: str) -> str:
    suffix = PurePosixPath(part).suffix
    return suffix if len(suffix.encode()) <= MAX_SUFFIX_BYTES and " " not in suffix else ""


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode("utf-8", "ignore")


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
    return f"{folder}/" * bool(folder) + _cut(last, MAX_SEGMENT_BYTES - len(extensions[0])) + extensions[0]


def fold(name: str) -> str:
    """What equal names have in common: two names are one file on some system if their folds are equal.

    Those systems don't regard case, how a letter with its accents is written, or what can't be seen (Unicode's
    canonical caseless matching, without what is ignorable).

    >>> fold("Été.JPG") == fold("e\u0301te\u0301.jpg")
    True
    """
    if name.isascii():  # most are, and a job may have ten thousand
        return name.lower()
    folded = unicodedata.normalize("NFD", IGNORED.sub("", name)).casefold()
    return unicodedata.normalize("NFC", IGNORED.sub("", folded))


def split_for_number(name: str) -> tuple[str, str]:
    """A clean name's base and suffix: ``f"{base} ({number}){suffix}"`` is a clean name for numbers to 9,999,999.

    >>> split_for_number("day/a.jpg")
    ('day/a', '.jpg')
    """
    folder, slash, last = name.rpartition("/")
    suffix = _suffix(last)
    return folder + slash + _cut(
        last.removesuffix(suffix), MAX_SEGMENT_BYTES - MARK_BYTES - len(suffix.encode())
    ), suffix
