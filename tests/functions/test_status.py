"""status shows a problem to a browser as a page in its language, and to a program as the problem document."""

from collections.abc import Iterator

import pytest
from countermark.http.application import make_app
from countermark.http.leaving import Leaving
from countermark.services import services
from countermark.settings import settings
from flask.testing import FlaskClient

from functions.status import handler

BROWSER = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


SETTINGS = ("NATS_URL", "DATABASE_URL", "S3_ENDPOINT", "S3_ACCESS_KEY", "S3_SECRET_KEY")


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    """Calls the function as its server does, without servers behind it: none of these calls comes to them."""
    for name in SETTINGS:
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    app = make_app(handler.handle, name="status", leaving=Leaving(), render_problem=handler.render_problem)
    yield app.test_client()
    settings.cache_clear()
    services.cache_clear()


@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_browser_gets_a_page(client: FlaskClient, language: str) -> None:
    answer = client.get("/nothing", headers=BROWSER | {"Accept-Language": language})
    assert (answer.status_code, answer.content_type) == (404, "text/html; charset=utf-8")
    assert f'<html lang="{language}"' in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_a_program_gets_the_document(client: FlaskClient) -> None:
    answer = client.get("/nothing")
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


def test_a_method_that_it_does_not_support_is_shown_alike(client: FlaskClient) -> None:
    assert client.post("/nothing", headers=BROWSER).status_code == 405
    assert client.post("/nothing").json["code"] == "wrong_method"  # type: ignore[index]
