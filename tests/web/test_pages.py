"""The pages that the server renders, and the texts that all pages share: no servers needed."""

import gzip
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from countermark import engine

from functions.status.pages import LANGUAGES, Words, choose_language, render_job, render_problem

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
TEXTS = {language: json.loads((WEB / "texts" / f"{language}.json").read_text()) for language in LANGUAGES}
PLURALS = {"en": {"one", "other"}, "ru": {"one", "few", "many", "other"}}
JOB = "0123456789abcdef" * 2
BUDGET = 60_000  # bytes of everything below web/, compressed


def job(state: str = "processing", **changed: Any) -> dict[str, Any]:
    """A status document of three images, one done and one failed."""
    ended = state in {"ready", "failed"}
    result = {"url": f"/job/{JOB}/images/1", "bytes": 2000, "width": 40, "height": 30, "format": "JPEG", "notes": []}
    images = [
        {"number": 1, "name": "day1/a.jpg", "state": "done", "code": None, "reason": None, "result": result},
        {"number": 2, "name": "b.jpg", "state": "failed", "code": "empty_file", "reason": "Empty.", "result": None},
        {"number": 3, "name": "c.jpg", "state": "waiting", "code": None, "reason": None, "result": None},
    ]
    return {
        "job": JOB,
        "state": state,
        "source": "upload",
        "reason": None,
        "total": 3,
        "waiting": 1,
        "done": 1,
        "failed": 1,
        "now": "2026-11-24T10:00:00.000Z",
        "expires_at": "2026-11-24T11:00:00.000Z" if ended else None,
        "archive": {"url": f"/job/{JOB}/archive", "bytes": 5_000_000, "name": "x.zip"} if ended else None,
        "images": images,
    } | changed


class Elements(HTMLParser):
    """The elements of a page: [(tag, attributes)]."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def names(texts: dict[str, Any]) -> set[str]:
    """The names of all texts but the reasons, which need one only where the server's own sentence will not do."""
    return {f"{group}.{key}" for group in texts if group not in {"reasons", "notes"} for key in texts[group]}


@pytest.mark.parametrize(
    ("asked", "cookies", "accepted", "language"),
    [
        (None, None, None, "en"),
        (None, None, "ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        (None, None, "de,fr;q=0.5", "en"),
        (None, None, "de,ru;q=0.5", "ru"),
        (None, "a=b; language=ru", "en", "ru"),
        ("en", "language=ru", "ru", "en"),
        ("xx", "language=../x", "ru", "ru"),
    ],
)
def test_language(asked: str | None, cookies: str | None, accepted: str | None, language: str) -> None:
    """The query wins over the cookie, the cookie over the browser, and only known languages count."""
    assert choose_language(asked, cookies, accepted) == language


@pytest.mark.parametrize(("count", "text"), [(1, "1 изображение"), (3, "3 изображения"), (5, "5 изображений")])
def test_russian_plurals(count: int, text: str) -> None:
    """Russian has three forms."""
    assert text in Words("ru").say("job.failures_title", count=count)


@pytest.mark.parametrize(
    ("count", "english", "russian"),
    [
        (1, "1 kB", "1 кБ"),
        (2048, "2 kB", "2 кБ"),
        (5_000_000, "4.8 MB", "4,8 МБ"),
        (2**30 * 12, "12 GB", "12 ГБ"),
    ],
)
def test_size(count: int, english: str, russian: str) -> None:
    """Sizes are written as each language does."""
    assert Words("en").size(count) == english
    assert Words("ru").size(count).replace("\xa0", " ") == russian


def test_texts_are_complete() -> None:
    """Every language has every text, with its own plural forms and the same places to fill."""
    assert names(TEXTS["en"]) == names(TEXTS["ru"])
    for language, texts in TEXTS.items():
        for name in names(texts):
            group, key = name.split(".")
            text, english = texts[group][key], TEXTS["en"][group][key]
            forms = text if isinstance(text, dict) else {"": text}
            if isinstance(text, dict):
                assert set(text) == PLURALS[language], name
            places = set(re.findall(r"\{(\w+)\}", str(english)))
            for form in forms.values():
                assert set(re.findall(r"\{(\w+)\}", form)) == places, name


def test_reasons_are_translated() -> None:
    """Each error of the engine has its Russian sentence."""

    def codes(error: type[engine.ImageError]) -> set[str]:
        return {error.code}.union(*(codes(each) for each in error.__subclasses__()))

    assert codes(engine.ImageError) - {engine.ImageError.code} <= set(TEXTS["ru"]["reasons"])


def test_notes_are_translated() -> None:
    assert set(TEXTS["ru"]["notes"]) == set(engine.NOTES)


def test_texts_are_used() -> None:
    """No page asks for a text that is not there, and no text is there that no page shows."""
    sources = [*WEB.glob("*.js"), *WEB.glob("*.html"), *(ROOT / "templates/pages").iterdir()]
    sources.append(ROOT / "functions/status/pages.py")
    code = "\n".join(path.read_text() for path in sources)
    asked = set(re.findall(r'(?:say\(|data-(?:text|label|hint|unit)=)"(\w+\.\w*[a-z])"', code))
    assert asked <= names(TEXTS["en"])
    # Names that are put together end with a state, a kind of problem, or a reason for refusing a file.
    heads = ("receiving", "processing", "archiving", "ready", "ready_some", "none", "failed")
    kinds = ("expired", "unknown", "large", "bad", "busy", "server")
    built = {f"job.{head}_{part}" for head in heads for part in ("title", "lead")}
    built |= {f"job.state_{state}" for state in ("waiting", "working", "done", "failed")}
    built |= {f"problems.{kind}_{part}" for kind in kinds for part in ("title", "text", "next")}
    built |= {f"upload.{why}" for why in re.findall(r'why = "(\w+)"', code)}
    assert names(TEXTS["en"]) - asked - built == set()


def test_upload_page_says_what_the_texts_say() -> None:
    """The English in the page itself is that of the texts, so that nothing changes when the script starts."""
    page = (WEB / "index.html").read_text()
    for attribute, inner in re.findall(r'data-text="([\w.]+)">([^<]*)<', page):
        group, key = attribute.split(".")
        assert inner == TEXTS["en"][group][key]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("state", ["receiving", "processing", "archiving", "ready", "failed"])
def test_job_page(state: str, language: str) -> None:
    """A running job's page refreshes by itself, an ended one's offers the ZIP."""
    page = render_job(job(state), language)
    elements = Elements(page).found
    refreshes = [attributes for tag, attributes in elements if tag == "meta" and attributes.get("http-equiv")]
    links = {attributes.get("href") for tag, attributes in elements if tag == "a"}
    ended = state in {"ready", "failed"}
    assert bool(refreshes) is not ended
    assert (f"/job/{JOB}/archive" in links) is ended
    assert f"/job/{JOB}/images/1" in links
    assert f'<html lang="{language}">' in page


def test_all_failed() -> None:
    """A job whose images all failed says so, and says why."""
    page = render_job(job("ready", total=1, done=0, failed=1, waiting=0, images=job()["images"][1:2]))
    assert TEXTS["en"]["job"]["none_title"] in page
    assert "Empty." in page


def test_what_else_is_to_be_known_of_a_result_stands_beside_it() -> None:
    image = job()["images"][0]
    image["result"]["notes"] = [{"code": "depth_reduced", "text": "It has 8 bits."}]
    assert "done. It has 8 bits.<" in render_job(job("ready", images=[image]))
    assert TEXTS["ru"]["notes"]["depth_reduced"] in render_job(job("ready", images=[image]), "ru")


@pytest.mark.parametrize(("code", "again"), [("took_too_long", True), ("not_uploaded", False)])
def test_failed_images_can_be_tried_again(code: str, *, again: bool) -> None:
    """What the server has can be tried again, what never arrived cannot."""
    image = job()["images"][1] | {"code": code}
    assert (f"/function/upload/{JOB}/again?images=failed" in render_job(job("ready", images=[image]))) is again


def test_names_are_escaped() -> None:
    """A file's name is text, whatever is in it."""
    image = {
        "number": 1,
        "name": "<script>x</script>\"'.jpg",
        "state": "failed",
        "code": "x",
        "reason": "<b>",
        "result": None,
    }
    page = render_job(job("ready", images=[image]))
    assert "<script>x" not in page
    assert "<b><" not in page
    assert "&lt;script&gt;" in page


def test_large_jobs_make_bounded_pages() -> None:
    """A page does not grow with its job."""
    waiting = job()["images"][2]
    images = [waiting | {"number": number} for number in range(1, 5001)]
    page = render_job(job(total=5000, images=images))
    assert len(page) < 100_000
    assert "4,880 more images" in page


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, "unknown"), (410, "expired"), (413, "large"), (503, "busy"), (500, "server"), (400, "bad")],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_problem_page(status: int, kind: str, language: str) -> None:
    """Each problem says what happened and leads on."""
    page = render_problem(status, "code", "Title", "What <happened>.", language)
    problems = TEXTS[language]["problems"]
    assert problems[f"{kind}_title"] in page
    assert problems.get(f"{kind}_text", "What &lt;happened&gt;.") in page
    assert problems[f"{kind}_next"] in page
    assert 'href="/"' in page


def test_content_security() -> None:
    """No page has a script or a style of its own in it."""
    pages = [
        (WEB / "index.html").read_text(),
        render_job(job()),
        render_job(job("ready")),
        render_problem(404, "x", "x", "x"),
    ]
    for page in pages:
        assert re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|javascript:", page) is None


def test_weight() -> None:
    """All of the pages' files together are light."""
    files = [path for path in WEB.rglob("*") if path.is_file()]
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) < BUDGET
