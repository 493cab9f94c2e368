"""The starter of the function template works as it is: an image task of one's own, served without any server."""

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.platform_driver import wait_until
from tests.served import TEMPLATE, serve

SLOW = """
import time
from pathlib import Path


def handle(event, context):
    (Path(__file__).parent / "began").touch()
    time.sleep(1.5)
    return {"statusCode": 200, "body": b"finished"}
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a function made from the starter, as ``faas-cli new`` copies it."""
    folder = tmp_path_factory.mktemp("mirror")
    shutil.copytree(TEMPLATE / "function", folder, dirs_exist_ok=True)
    with serve(folder) as function:
        yield function.url


def test_what_is_in_flight_is_finished_before_it_leaves(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text(SLOW)
    with serve(tmp_path) as function, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx.get, function.url)
        wait_until((tmp_path / "began").exists)
        function.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        with pytest.raises(httpx.ConnectError):
            httpx.get(function.url)
        assert answer.result().text == "finished"
        assert function.process.wait(10) == 0


def test_a_connection_that_is_kept_is_told_that_it_leaves(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text(SLOW)
    with serve(tmp_path) as function, ThreadPoolExecutor(1) as pool, httpx.Client(base_url=function.url) as kept:
        answer = pool.submit(httpx.get, function.url)
        wait_until((tmp_path / "began").exists)
        assert kept.get("/_/ready").status_code == 200
        function.process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        assert kept.get("/_/ready").status_code == 503
        assert answer.result().text == "finished"


@pytest.mark.parametrize("variable", ["FUNCTION_NAME", "OPENFAAS_NAME", "K_SERVICE"])
def test_each_platform_says_the_functions_name(tmp_path: Path, variable: str) -> None:
    (tmp_path / "handler.py").write_text("def handle(event, context):\n    return 'ok'\n")
    with serve(tmp_path, **{variable: "mirror"}) as function:
        httpx.get(function.url)
        assert 'function_requests_total{function="mirror"' in httpx.get(f"{function.url}/metrics").text


def two_halves() -> bytes:
    """A picture that is black on the left and white on the right."""
    image = Image.new("L", (40, 20), 255)
    image.paste(0, (0, 0, 20, 20))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("query", ["", "?upside_down=true", "?task=mirror&format=png"])
def test_the_task_edits_the_image_in_the_body(served: str, query: str) -> None:
    answer = httpx.post(f"{served}/{query}", content=two_halves())
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png")
    image = Image.open(io.BytesIO(answer.content))
    assert (image.getpixel((2, 2)), image.getpixel((38, 2))) == (255, 0)


def test_what_is_wrong_is_told(served: str) -> None:
    answer = httpx.post(f"{served}/?upside_down=perhaps", content=two_halves())
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "upside_down")
    answer = httpx.post(served, content=b"no image")
    assert (answer.status_code, answer.json()["code"]) == (422, "not_an_image")


def told_at_the_start(folder: Path, **environment: str) -> str:
    """What a function says that refuses to start."""
    done = subprocess.run(
        [sys.executable, TEMPLATE / "index.py"],
        env={"PATH": os.environ["PATH"], "FUNCTION_DIR": str(folder), "PORT": "0", **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    return done.stderr.strip()


@pytest.mark.parametrize("name", ["upload", "watermark", "archive", "expire", "status", "reconcile"])
def test_a_missing_or_wrong_setting_stops_the_start_with_one_line(name: str) -> None:
    told = told_at_the_start(TEMPLATE.parents[1] / "functions" / name, FUNCTION_NAME=name, MAX_FILES="many")
    assert told.startswith(f"{name}: ")
    assert len(told.splitlines()) == 1
    for setting in ("NATS_URL", "DATABASE_URL", "S3_ENDPOINT", "S3_ACCESS_KEY", "S3_SECRET_KEY", "MAX_FILES"):
        assert f"{setting}: " in told


def test_a_wrong_number_stops_the_start_with_one_line() -> None:
    told = told_at_the_start(TEMPLATE / "function", max_inflight="many")
    assert told == "max_inflight must be a whole number, and is 'many'."
