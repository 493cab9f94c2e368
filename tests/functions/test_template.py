"""The template serves a function as a process: its starter works as it is, and it leaves well when it is told to."""

import io
import os
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.platform_driver import wait_until
from tests.served import IGNORING_SIGINT, SECONDS_TO_LEAVE, TEMPLATE, refuses, serve

pytestmark = pytest.mark.slow  # a process for each

SECONDS_TO_START = 60
"""The first image starts what decodes images: on a busy machine that takes longer than a call may by default."""
SLOW = """
import time
from pathlib import Path

HERE = Path(__file__).parent


def handle(event, context):
    (HERE / "began").touch()
    while not (HERE / "may-end").exists():
        time.sleep(0.02)
    return {"statusCode": 200, "body": b"finished"}
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a function made from the starter, as ``faas-cli new`` copies it."""
    folder = tmp_path_factory.mktemp("mirror")
    shutil.copytree(TEMPLATE / "function", folder, dirs_exist_ok=True)
    with serve(folder) as function:
        yield function.url


@pytest.mark.parametrize("by", [(), IGNORING_SIGINT], ids=["foreground", "background"])
def test_what_is_in_flight_is_finished_before_it_leaves(tmp_path: Path, by: tuple[str, ...]) -> None:
    (tmp_path / "handler.py").write_text(SLOW)
    with serve(tmp_path, by=by) as function, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx.get, function.url, timeout=SECONDS_TO_LEAVE)
        wait_until((tmp_path / "began").exists)
        function.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(function.port))
        (tmp_path / "may-end").touch()
        assert answer.result().text == "finished"
        assert function.process.wait(SECONDS_TO_LEAVE) == 0


def test_a_connection_that_is_kept_is_told_that_it_leaves(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text(SLOW)
    with serve(tmp_path) as function, ThreadPoolExecutor(1) as pool, httpx.Client(base_url=function.url) as kept:
        answer = pool.submit(httpx.get, function.url, timeout=SECONDS_TO_LEAVE)
        wait_until((tmp_path / "began").exists)
        assert kept.get("/_/ready").status_code == 200
        function.process.send_signal(signal.SIGTERM)
        wait_until(lambda: kept.get("/_/ready").status_code == 503)
        (tmp_path / "may-end").touch()
        assert answer.result().text == "finished"


def two_halves() -> bytes:
    """A picture that is black on the left and white on the right."""
    image = Image.new("L", (40, 20), 255)
    image.paste(0, (0, 0, 20, 20))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("query", ["", "?upside_down=true", "?task=mirror&format=png"])
def test_the_task_edits_the_image_in_the_body(served: str, query: str) -> None:
    answer = httpx.post(f"{served}/{query}", content=two_halves(), timeout=SECONDS_TO_START)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png")
    image = Image.open(io.BytesIO(answer.content))
    assert (image.getpixel((2, 2)), image.getpixel((38, 2))) == (255, 0)


def test_what_is_wrong_is_told(served: str) -> None:
    answer = httpx.post(f"{served}/?upside_down=perhaps", content=two_halves(), timeout=SECONDS_TO_START)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "upside_down")
    answer = httpx.post(served, content=b"no image", timeout=SECONDS_TO_START)
    assert (answer.status_code, answer.json()["code"]) == (422, "not_an_image")


def test_a_start_that_fails_is_told_in_one_line() -> None:
    done = subprocess.run(
        [sys.executable, TEMPLATE / "index.py"],
        env={"PATH": os.environ["PATH"], "FUNCTION_NAME": "mirror", "max_inflight": "many"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "mirror: max_inflight must be a whole number, 1 or more, and is 'many'\n"


def test_the_template_requires_the_versions_that_the_project_does() -> None:
    project = tomllib.loads((TEMPLATE.parents[1] / "pyproject.toml").read_text())["project"]
    lines = [file.read_text() for file in TEMPLATE.rglob("requirements.txt")]
    assert len(lines) == 2
    assert set("".join(lines).split()) <= set(project["dependencies"])
