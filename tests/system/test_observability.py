"""Whoever runs the platform sees what happens: logs with the ids, health, and metrics."""

import json
from typing import Any

import httpx

from tests.client import Caller, picture
from tests.system.rows import Rows


def ask(platform: Any, name: str, path: str) -> str:
    """A page of a process's own address, inside the platform."""
    answer = httpx.get(f"http://127.0.0.1:{platform.ports[name]}{path}")
    assert answer.status_code == 200
    return answer.text


def value(metrics: str, begin: str) -> float:
    """The sum of the samples whose line begins so."""
    return sum(float(line.rpartition(" ")[2]) for line in metrics.splitlines() if line.startswith(begin))


def test_one_job_is_followed_through_the_logs_of_all_functions(platform: Any, caller: Caller, rows: Rows) -> None:
    token = caller.upload([("a.jpg", picture())])
    caller.wait(token)
    job = rows.id_of(token)
    for function in ("upload", "watermark", "archive"):
        lines = [json.loads(line) for line in platform.logs(function).splitlines() if job in line]
        assert lines
        assert all(line["function"] == function and line["job"] == job and line["timestamp"] for line in lines)
    (done,) = [json.loads(line) for line in platform.logs("watermark").splitlines() if job in line]
    assert (done["event"], done["image"]) == ("image done", 1)


def test_functions_and_connector_count_what_they_do(platform: Any, caller: Caller) -> None:
    before = ask(platform, "connector", "/metrics")
    caller.wait(caller.upload([("a.jpg", picture()), ("b.jpg", b"no image")]))
    after = ask(platform, "connector", "/metrics")
    delivered = 'connector_deliveries_total{function="watermark",outcome="done"}'
    assert value(after, delivered) - value(before, delivered) >= 2
    for metric in ("connector_messages_waiting", "connector_messages_in_flight", "connector_dead_letters_total"):
        assert metric in after
    calls = ask(platform, "upload", "/metrics")
    assert value(calls, 'function_requests_total{function="upload",kind="call",status="202"}') >= 1
    assert value(calls, "function_request_seconds_count") >= 1


def test_every_part_tells_its_health(platform: Any, caller: Caller) -> None:
    assert caller.http.get("/healthz").text == "ok"
    assert json.loads(ask(platform, "connector", "/healthz")) == {"stream": "connected"}
    for function in ("upload", "drop", "watermark-1", "preview", "archive", "expire", "status", "reconcile"):
        assert ask(platform, function, "/_/health") == "ok"
