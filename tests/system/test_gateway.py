"""The one public address: what it hides, what it adds, and what a caller does not notice."""

import gzip
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from botocore.exceptions import ClientError

from infra.store.buckets import connect
from tests.client import Caller, picture
from tests.platform_driver import Platform, wait_until

HIDDEN = [
    "/function/upload/metrics",
    "/function/upload/_/health",
    "/function/upload//metrics",
    "/function/upload/x/../metrics",
    "/function/upload/%6detrics",
    "/function/upload/%5f/ready",
    "/job/metrics",
    "/job/_/ready",
    "/function/reconcile",
    "/function/uploads",
    "/function/",
    "/uploads",
    "/.gitignore",
    "/index.py",
]


def get(platform: Platform, path: str, **headers: str) -> httpx.Response:
    return httpx.get(httpx.URL(platform.url).copy_with(raw_path=path.encode()), headers=headers, timeout=30)


@pytest.mark.parametrize("path", HIDDEN)
def test_what_is_not_for_callers_is_not_there(platform: Platform, path: str) -> None:
    answer = get(platform, path)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


def test_a_person_gets_a_page_where_a_program_gets_a_problem(platform: Platform) -> None:
    answer = get(platform, "/nothing", Accept="text/html,*/*;q=0.8")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "<h1>Not found</h1>" in answer.text


@pytest.mark.parametrize("path", ["/", "/function/upload", "/nothing", "/job/" + "0" * 32])
def test_browsers_are_told_to_be_careful(platform: Platform, path: str) -> None:
    headers = get(platform, path).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert headers.get_list("X-Content-Type-Options") == ["nosniff"]
    assert headers.get_list("Referrer-Policy") == ["no-referrer"]
    assert "Server" not in headers
    assert "Via" not in headers


def test_what_is_in_the_store_runs_no_scripts(platform: Platform) -> None:
    answer = get(platform, "/results/a.html")
    assert answer.status_code == 403
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_an_s3_client_sees_what_it_may_and_nothing_else(platform: Platform) -> None:
    client = connect(platform.url, platform.secret("people-access-key"), platform.secret("people-secret-key"))
    client.put_object(Bucket="drop", Key="client/a.txt", Body=b"a")
    assert "drop" in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
    assert client.list_objects_v2(Bucket="drop", Prefix="client/")["KeyCount"] == 1
    assert client.list_objects_v2(Bucket="results", Prefix="drop/client/")["KeyCount"] == 0
    for denied in (
        lambda: client.list_objects_v2(Bucket="results"),
        lambda: client.get_object(Bucket="results", Key="0/1"),
        lambda: client.get_object(Bucket="uploads", Key="direct/0/1"),
        lambda: client.copy_object(Bucket="drop", Key="client/b", CopySource="uploads/direct/0/1"),
        lambda: client.put_object(Bucket="results", Key="drop/client/a.txt", Body=b""),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            denied()


def test_the_page_is_compressed_and_not_sent_again(platform: Platform) -> None:
    with httpx.stream("GET", platform.url + "/", headers={"Accept-Encoding": "gzip"}) as answer:
        packed = b"".join(answer.iter_raw())
    assert answer.headers["Content-Encoding"] == "gzip"
    assert b"<!doctype html>" in gzip.decompress(packed)
    assert answer.headers["Cache-Control"] == "no-cache"
    again = get(platform, "/", **{"Accept-Encoding": "gzip", "If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_large_body_is_never_held_in_memory(platform: Platform, caller: Caller) -> None:
    def peak() -> int:
        status = Path(f"/proc/{platform.pids('caddy')[0]}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    size, before = 300_000_000, peak()
    caller.drop("large/zeros.bin", bytes(size))
    assert peak() - before < size / 5


@pytest.mark.parametrize(("path", "size"), [("/function/upload", 11 * 1024**3), ("/function/watermark", 101 * 1024**2)])
def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(
    platform: Platform, path: str, size: int
) -> None:
    with socket.create_connection(("127.0.0.1", platform.port), timeout=10) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n".encode())
        connection.sendall(bytes(300_000))  # it looks at a quarter of a megabyte before it answers
        answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"application/problem+json" in answer


def test_connections_to_the_functions_stay_open(platform: Platform) -> None:
    copies = {platform.ports[name] for name in platform.processes("status")}

    def connections() -> set[Any]:
        """Those that are open, and those that were closed in the last minute."""
        return {each.laddr for each in psutil.net_connections("tcp4") if each.raddr and each.raddr.port in copies} | {
            each.raddr for each in psutil.net_connections("tcp4") if each.raddr and each.laddr.port in copies
        }

    before = connections()
    with httpx.Client(base_url=platform.url, timeout=30) as client:
        codes = {client.get("/function/status/" + "0" * 32).status_code for _ in range(50)}
    assert codes == {404}
    assert len(connections() - before) < 25


def test_a_kill_is_seen_by_calls_alone_that_had_begun(platform: Platform) -> None:
    image, ended = picture(), threading.Event()

    def keep_calling(client: httpx.Client) -> list[tuple[int, float]]:
        seen = []
        while not ended.is_set():
            started = time.monotonic()
            seen.append((client.post("/function/watermark?text=a", content=image).status_code, started))
        return seen

    with httpx.Client(base_url=platform.url, timeout=30) as client, ThreadPoolExecutor(4) as pool:
        callers = [pool.submit(keep_calling, client) for _ in range(4)]
        time.sleep(1)
        before = set(platform.pids("watermark"))
        killed = platform.kill("watermark")
        wait_until(lambda: not psutil.pid_exists(killed) or killed not in platform.pids("watermark"))
        died = time.monotonic()
        wait_until(lambda: len(set(platform.pids("watermark")) - {killed}) == len(before))
        time.sleep(1)
        ended.set()
    for caller in callers:
        calls = caller.result()
        lost = [started for code, started in calls if code == 502]
        assert {code for code, _ in calls} <= {200, 502}
        # Until the last thread of a killed copy is gone, the kernel takes calls for it: one caller may lose two.
        assert all(started < died for started in lost)


@pytest.mark.parametrize("name", ["upload", "watermark"])
def test_callers_do_not_notice_that_a_function_is_started_again(platform: Platform, name: str) -> None:
    def call() -> int:
        if name == "upload":
            return get(platform, "/function/upload").status_code
        return httpx.post(f"{platform.url}/function/watermark?text=a", content=image, timeout=30).status_code

    image = picture()
    ended = threading.Event()

    def keep_calling() -> set[int]:
        seen = {call()}
        while not ended.is_set():
            seen.add(call())
        return seen

    with ThreadPoolExecutor(4) as pool:
        callers = [pool.submit(keep_calling) for _ in range(4)]
        before = set(platform.pids(name))
        platform.stop(name)
        platform.start(name)
        wait_until(lambda: platform.pids(name) and not before & set(platform.pids(name)))
        wait_until(lambda: call() == 200)
        ended.set()
    assert set().union(*(caller.result() for caller in callers)) == {200}


BROKEN_BODY = b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"
CUT_BODY = b"Content-Length: 1000\r\n\r\nabc"
MULTIPART = b"Content-Type: multipart/form-data; boundary=b\r\n"


@pytest.mark.parametrize("body", [BROKEN_BODY, CUT_BODY], ids=["broken", "cut off"])
@pytest.mark.parametrize(
    ("attacked", "asked"),
    [
        (b"POST /function/upload", "/function/upload"),
        (b"POST /function/status/" + b"0" * 32, "/function/status/" + "0" * 32),
        (b"POST /function/watermark", "/function/watermark/schema"),
        (b"PUT /uploads/x", "/results/x"),
    ],
)
def test_a_broken_body_harms_nobody_else(platform: Platform, attacked: bytes, asked: str, body: bytes) -> None:
    """Twenty of them would close a function for a second each, if the gateway took them for the function's fault."""
    with httpx.Client(base_url=platform.url, timeout=30) as other:
        other.get(asked)
        started = time.monotonic()
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", platform.port), timeout=10) as connection:
                connection.sendall(attacked + b" HTTP/1.1\r\nHost: a\r\n" + MULTIPART + body)
            assert other.get(asked).status_code in {200, 403, 404}
    assert time.monotonic() - started < 10
