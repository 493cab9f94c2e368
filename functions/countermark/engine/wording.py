"""The text of a mark: placeholders, their values for a picture, and the characters that can be drawn.

{name}  {name|alternative}  {date:%d.%m.%Y}  {counter:04}  {date:%Y|no date}
"""

import re
import unicodedata
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

from PIL import features

from .errors import EmptyMark
from .fonts import find_font, has_ink, missing
from .task import Picture

LONGEST_VALUE = 200  # characters of a placeholder's value; metadata may have any number
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_INSIDE = re.compile(r"(?P<name>\w+)(?::(?P<form>[^|]*))?(?:\|(?P<instead>.*))?", re.DOTALL)
_DATE_FORM = re.compile(r"(?:[^%]|%[dmyYHMSjbBaA%])+", re.DOTALL)
_COUNTER_FORM = re.compile(r"0[1-9]")

#: What shapes the letters beside it and is nothing by itself; only Raqm knows how.
_SHAPING = "\u200c\u200d\u200e\u200f" if features.check("raqm") else ""
#: Characters of other kinds than "format" that Unicode says are not to be shown.
_IGNORED = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u3164\ufe00-\ufe0f\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff]"
)

Formed = Callable[[Picture, str], str]


def _date(usual: str) -> Formed:
    def formed(picture: Picture, form: str) -> str:
        return _in_form(picture.taken, form or usual) if picture.taken else ""

    return formed


def _in_form(taken: datetime, form: str) -> str:
    return taken.strftime(form)


def _counted(picture: Picture, form: str) -> str:
    return format(picture.number, form)


def _detail(name: str) -> Formed:
    def found(picture: Picture, form: str) -> str:  # noqa: ARG001
        return picture.details().get(name, "")

    return found


#: Name -> how a picture's value is found, and what its form may be.
PLACEHOLDERS: dict[str, tuple[Formed, re.Pattern[str] | None]] = {
    "name": (lambda picture, _: picture.name.rsplit("/", 1)[-1], None),
    "folder": (lambda picture, _: picture.name.rpartition("/")[0].rpartition("/")[2], None),
    "number": (_counted, _COUNTER_FORM),
    "counter": (_counted, _COUNTER_FORM),
    "date": (_date("%Y-%m-%d"), _DATE_FORM),
    "time": (_date("%H:%M"), _DATE_FORM),
    "year": (_date("%Y"), None),
} | {name: (_detail(name), None) for name in ("camera", "lens", "exposure", "iso", "creator", "title")}


def check(text: str, font: str | None) -> None:
    """Raise ValueError, which says why, for a text that cannot be a mark on any picture."""
    plain = _PLACEHOLDER.sub(lambda match: _checked(match[1]) or "", text)
    if lost := lacking(plain, find_font(drawable(plain), font)):
        raise ValueError(f"No font here has {lost}; add one that has to the folder of assets.")
    if not _PLACEHOLDER.search(text) and not _shows(plain, font):
        raise ValueError("The text has nothing that can be seen, only spaces or characters that are not drawn.")


def filled(text: str, picture: Picture, font: str | None) -> tuple[str, str]:
    """Return `text` with the values of its placeholders, and the font that draws it; raise `EmptyMark`."""
    whole = drawable(_PLACEHOLDER.sub(lambda match: _value(match[1], picture), text)).strip()
    chosen = find_font(whole, font)
    if lost := lacking(whole, chosen):
        raise EmptyMark(f"The text of the mark would be {whole!r:.80}, and no font here has {lost}.")
    if not _shows(whole, chosen):
        raise EmptyMark("The text of the mark is empty on this picture.")
    return whole, chosen


def drawable(text: str) -> str:
    """Return `text` with plain spaces and line ends, and without characters that are not to be seen."""
    text = re.sub("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]", "\n", text).replace("\t", " ")
    kinds = ((each, unicodedata.category(each)) for each in _IGNORED.sub("", text))
    return "".join(
        " " if kind == "Zs" else each for each, kind in kinds if kind not in {"Cc", "Cf"} or each in "\n" + _SHAPING
    )


def lacking(text: str, font: str) -> str:
    """Return the characters that a font lacks, in words, empty when it has all."""
    found = missing("".join(each for each in drawable(text) if each not in "\n" + _SHAPING), font)
    return " ".join(each if each.isprintable() else f"U+{ord(each):04X}" for each in found)


def _checked(inside: str) -> str:
    """Return what of a placeholder is drawn as it stands; raise ValueError when it is not understood."""
    match = _INSIDE.fullmatch(inside)
    if match is None or match["name"] not in PLACEHOLDERS:
        known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
        raise ValueError(f"There is no placeholder {{{inside}}}; there are {known}, and {{date|another text}}.")
    allowed = PLACEHOLDERS[match["name"]][1]
    if match["form"] is not None and (allowed is None or not allowed.fullmatch(match["form"])):
        forms = "dates and times such as {date:%d.%m.%Y}, numbers such as {counter:04}"
        raise ValueError(f"{{{inside}}} has a form that is not understood; there are {forms}.")
    of_date = match["form"] if match["form"] and allowed is _DATE_FORM else ""
    return re.sub("%.", "", of_date) + (match["instead"] or "")


def _value(inside: str, picture: Picture) -> str:
    match = _INSIDE.fullmatch(inside)
    assert match is not None  # noqa: S101 - checked with the options
    name, instead = match["name"], match["instead"]
    value = drawable(PLACEHOLDERS[name][0](picture, match["form"] or "")).replace("\n", " ").strip()
    if value:
        return value if len(value) <= LONGEST_VALUE else value[: LONGEST_VALUE - 1] + "…"
    if instead is None:
        raise EmptyMark(
            f"This picture has no {name}, which {{{name}}} in the text of the mark asks for. "
            f"With {{{name}|another text}} such pictures get another text."
        )
    return instead


def _shows(text: str, font: str | None) -> bool:
    cleaned = drawable(text)
    return _ink(cleaned, find_font(cleaned, font))


@lru_cache(maxsize=256)
def _ink(text: str, font: str) -> bool:
    return any(has_ink(line, font) for line in text.split("\n"))
