"""The application around a handler: its answers, its problems, and what platforms ask."""

from collections.abc import Callable
from typing import Any

import pytest
from countermark.http.application import make_app
from countermark.http.calls import DONE, Event
from countermark.http.leaving import Leaving
from countermark.http.problems import NotFound, Problem, Unavailable
from flask import Response
from flask.testing import FlaskClient
from structlog.testing import capture_logs

NAME = "tried"
PROBLEM = "application/problem+json"


def client_of(answer: Callable[[Event], Any], **more: Any) -> FlaskClient:
    """Calls a handler as its server does."""
    return make_app(lambda event, _context: answer(event), name=NAME, leaving=Leaving(), **more).test_client()


def raising(error: Exception) -> Callable[[Event], Any]:
    """A handler that fails."""

    def answer(_event: Event) -> Any:
        raise error

    return answer


def page(event: Event, problem: Problem) -> Response | None:
    """The page of a handler that has one, for whoever asks for it."""
    return Response(f"page: {problem.code}", problem.status) if "page" in event.query else None


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        ("text", 200, b"text"),
        (b"bytes", 200, b"bytes"),
        ({"statusCode": 201, "body": b"made", "headers": {"X-Own": "1"}}, 201, b"made"),
        ({"body": b"only"}, 200, b"only"),
        ({"some": "json"}, 200, b'{"some":"json"}\n'),
        (Response("own", 418), 418, b"own"),
        (DONE, 204, b""),
    ],
)
def test_a_handler_answers_with_a_dict_or_with_what_flask_takes(answer: Any, status: int, body: bytes) -> None:
    response = client_of(lambda _event: answer).get("/")
    assert (response.status_code, response.data) == (status, body)
    assert response.headers.get("X-Own", "1") == "1"


@pytest.mark.parametrize("path", ["/", "/a", "/a/b/", "/static/a.js", "/_/other"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_a_handler_gets_every_path_and_method(path: str, method: str) -> None:
    response = client_of(lambda event: f"{event.method} {event.path}").open(path, method=method)
    assert response.text == f"{method} {path}"


def test_a_handler_knows_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTNAME", "copy-1")
    app = make_app(lambda _event, context: context.hostname, name=NAME, leaving=Leaving())
    assert app.test_client().get("/").text == "copy-1"


def test_a_problem_is_answered_with_its_document() -> None:
    response = client_of(raising(NotFound("No such job.", job="1"))).get("/")
    assert (response.status_code, response.content_type) == (404, PROBLEM)
    assert response.json == {
        "type": "urn:countermark:problem:not_found",
        "title": "Not found",
        "status": 404,
        "detail": "No such job.",
        "code": "not_found",
        "job": "1",
    }


def test_what_is_away_says_when_to_try_again() -> None:
    response = client_of(raising(Unavailable())).get("/")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")


@pytest.mark.parametrize("answer", [raising(KeyError("secret")), lambda _event: None], ids=["raises", "no answer"])
def test_an_error_of_ours_is_logged_and_not_told(answer: Callable[[Event], Any]) -> None:
    with capture_logs() as logged:
        response = client_of(answer).get("/a")
    assert (response.status_code, response.content_type) == (500, PROBLEM)
    assert "secret" not in response.text
    (line,) = logged
    assert (line["log_level"], line["path"]) == ("error", "/a")
    assert line["exc_info"].__traceback__ is not None


def test_a_method_that_nobody_knows_is_a_problem_too() -> None:
    response = client_of(lambda _event: "never").open("/", method="PROPFIND")
    assert (response.status_code, response.content_type) == (405, PROBLEM)


@pytest.mark.parametrize(("error", "code"), [(NotFound(), "not_found"), (ValueError(), "unexpected")])
def test_a_handler_may_show_a_problem_in_its_own_way(error: Exception, code: str) -> None:
    client = client_of(raising(error), render_problem=page)
    assert client.get("/?page").text == f"page: {code}"
    assert client.get("/").content_type == PROBLEM


def test_a_page_that_fails_leaves_the_document() -> None:
    def broken(_event: Event, _problem: Problem) -> Response | None:
        raise ValueError

    response = client_of(raising(NotFound()), render_problem=broken).get("/")
    assert (response.status_code, response.content_type) == (404, PROBLEM)


def test_a_request_that_cannot_be_read_is_a_problem_without_a_page() -> None:
    client = client_of(lambda _event: "never", render_problem=page)
    response = client.post("/?page", content_type="application/cloudevents-batch+json")
    assert (response.status_code, response.content_type) == (415, PROBLEM)


def test_platforms_hear_that_it_lives_and_whether_it_takes_requests() -> None:
    leaving = Leaving()
    client = make_app(lambda _event, _context: "", name=NAME, leaving=leaving).test_client()
    assert client.get("/_/ready").status_code == 200
    leaving.go_on()
    assert client.get("/_/ready").status_code == 503
    assert client.get("/_/health").status_code == 200


def test_requests_are_counted_by_kind_and_status() -> None:
    app = make_app(lambda _event, _context: DONE, name="counted", leaving=Leaving())
    client = app.test_client()
    client.get("/")
    client.post("/", headers={"ce-type": "jobs.complete"})
    metrics = client.get("/metrics").text
    for kind in ("call", "message"):
        assert f'function_requests_total{{function="counted",kind="{kind}",status="204"}} 1.0' in metrics
        assert f'function_request_seconds_count{{function="counted",kind="{kind}"}} 1.0' in metrics
    assert 'function_requests_in_flight{function="counted"} 0.0' in metrics
