"""The HTML of the status function: the page of a job, and the page that says what is wrong.

    render_job(job)         job.html      while a job runs, and its result
    render_problem(...)     problem.html  an expired, deleted or unknown job, or another problem

Both are pure: they take what is to be shown and give the text of a page. The texts come from the same files
(``web/texts/<language>.json``) that the scripts of the pages read.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from babel import Locale
from babel.dates import format_datetime
from babel.numbers import format_decimal
from babel.units import format_unit
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header, parse_cookie

LANGUAGES = ("en", "ru")
LANGUAGE_COOKIE = "language"
SHOWN_IMAGES = 120
"""Tiles in one page; its script adds more when asked."""

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' blob: data:",
        "style-src 'self'",
        "script-src 'self'",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    )
)

_ENDED = ("ready", "failed")
_SIZES = (("gigabyte", 1 << 30), ("megabyte", 1 << 20), ("kilobyte", 1 << 10))
_LACKING = ("not_uploaded", "missing")
"""Codes of images that the server has not: they can't be tried again."""
_PROBLEMS = {404: "unknown", 410: "expired", 413: "large", 429: "busy", 503: "busy"}


def choose_language(asked: str | None, cookies: str | None, accept_language: str | None) -> str:
    """The language of a page: the one in the query, else the one chosen earlier, else the browser's.

    Args:
        asked: the query's ``language``.
        cookies: the header ``Cookie``, whole.
        accept_language: the header ``Accept-Language``.
    """
    for wish in (asked, parse_cookie(cookies or "").get(LANGUAGE_COOKIE)):
        if wish in LANGUAGES:
            return str(wish)
    accepted = parse_accept_header(accept_language or "", LanguageAccept)
    return accepted.best_match(LANGUAGES, default=LANGUAGES[0]) or LANGUAGES[0]


def render_job(job: Mapping[str, Any], language: str = "en") -> str:
    """The page of a job.

    Args:
        job: the status document, as its JSON has it; of its images those up to `SHOWN_IMAGES`, and as many
            failed ones beyond.
        language: one of `LANGUAGES`.
    """
    images = job.get("images") or []
    failures = [image for image in images if image["state"] == "failed"]
    tiles = [image for image in images if image["number"] <= SHOWN_IMAGES]
    return _render(
        "job.html",
        language,
        job=job,
        ended=job["state"] in _ENDED,
        finished=job["done"] + job["failed"],
        headline=_headline(job),
        failures=failures,
        retry=any(image["code"] not in _LACKING for image in failures),
        images=tiles,
        hidden=job["total"] - len(tiles),
    )


def render_problem(status: int, code: str, title: str, detail: str, language: str = "en") -> str:
    """The page of a problem, with the answer's `status` and the members of its problem document."""
    kind = _PROBLEMS.get(status, "server" if status >= 500 else "bad")
    return _render("problem.html", language, code=code, title=title, detail=detail, kind=kind)


def _headline(job: Mapping[str, Any]) -> str:
    """The name of the title that fits: the job's state, but a result without images, or with gaps, is told apart."""
    if job["state"] in _ENDED and job["total"] and job["failed"] == job["total"]:
        return "none"
    if job["state"] == "ready" and job["failed"]:
        return "ready_some"
    return str(job["state"])


def _render(template: str, language: str, **values: Any) -> str:
    words = Words(language)
    page = _environment().get_template(template)
    return page.render(
        language=language, languages=LANGUAGES, texts=_texts(language), say=words.say, words=words, **values
    )


class Words:
    """Texts, numbers and times as one language writes them. The page's ``texts.js`` does the same in the browser."""

    def __init__(self, language: str) -> None:
        self._locale = Locale.parse(language)
        self._texts = _texts(language)

    def say(self, name: str, /, **values: Any) -> str:
        """The text called `name` (``"job.counts"``), its places filled; ``count`` chooses the plural form."""
        group, key = name.split(".")
        text = self._texts[group][key]
        if isinstance(text, dict):
            text = text[self._locale.plural_form(values["count"])]
        shown = {key: self._number(value) for key, value in values.items()}
        # A value that is markup (a time) makes the whole markup; all the rest of it is escaped.
        form = Markup.escape(text) if any(isinstance(value, Markup) for value in values.values()) else text
        filled: str = form.format_map(shown)
        return filled

    def has(self, name: str) -> bool:
        """Whether there is a text called `name`."""
        group, key = name.split(".")
        return key in self._texts[group]

    def reason(self, image: Mapping[str, Any]) -> str:
        """Why an image failed: in this language if its code is known, else as the server says it."""
        known = self._texts["reasons"].get(image["code"])
        return str(known or image["reason"] or image["code"])

    def state(self, image: Mapping[str, Any]) -> str:
        """How it is with an image: why it failed, or its state and what else there is to know of its result."""
        if image["state"] == "failed":
            return self.reason(image)
        given = image["result"]["notes"] if image["result"] else ()
        notes = [str(self._texts["notes"].get(note["code"]) or note["text"]) for note in given]
        state = self.say(f"job.state_{image['state']}")
        return " ".join((f"{state}.", *notes)) if notes else state

    def size(self, count: int) -> str:
        """A number of bytes as people read it: 34.2 MB, with 1024 bytes in a kB as file managers count."""
        for unit, step in _SIZES:
            if count >= step:
                value = count / step
                shown = round(value) if unit == "kilobyte" or value >= 100 else round(value, 1)
                return format_unit(shown, f"digital-{unit}", "short", locale=self._locale)
        return format_unit(1, "digital-kilobyte", "short", locale=self._locale)

    def time(self, moment: str) -> Markup:
        """A ``<time>`` element with the UTC time; the page's script writes the reader's own time into it."""
        at = datetime.fromisoformat(moment).astimezone(UTC)
        shown = format_datetime(at, "HH:mm", locale=self._locale)
        return Markup('<time datetime="{}">{} UTC</time>').format(moment, shown)

    def _number(self, value: Any) -> Any:
        return format_decimal(value, locale=self._locale) if isinstance(value, int) else value


def _folder(path: str) -> Path:
    """A folder of the project: an image has it beside the handler, where stack.yml's configuration.copy puts it."""
    here = Path(__file__).parent
    return here / path if (here / path).is_dir() else here.parents[1] / path


@lru_cache(maxsize=1)
def _environment() -> Environment:
    folder = _folder("templates/pages")
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@lru_cache(maxsize=len(LANGUAGES))
def _texts(language: str) -> dict[str, Any]:
    file = _folder("web/texts") / f"{language}.json"
    texts: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return texts
