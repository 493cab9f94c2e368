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
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from PIL import Image

from infra.local.ports import pick_free_port

TEMPLATE = Path(__file__).parents[2] / "templates" / "python3-countermark"


SLOW = """
import time
from pathlib import Path


def handle(event, context):
    (Path(__file__).parent / "began").touch()
    time.sleep(1.5)
    return {"statusCode": 200, "body": b"finished"}
"""


@contextmanager
def serve(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address and the process of a function in a folder; it must leave well when it is told to."""
    port = pick_free_port()
    environment = {"PATH": os.environ["PATH"], "FUNCTION_DIR": str(folder), "PORT": str(port)}
    process = subprocess.Popen([sys.executable, str(TEMPLATE / "index.py")], env=environment, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_healthy(url)
        yield url, process
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a function made from the starter, as ``faas-cli new`` copies it."""
    folder = tmp_path_factory.mktemp("mirror")
    shutil.copytree(TEMPLATE / "function", folder, dirs_exist_ok=True)
    with serve(folder) as (url, _):
        yield url


def test_what_is_in_flight_is_finished_before_it_leaves(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text(SLOW)
    with serve(tmp_path) as (url, process), ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx.get, url)
        while not (tmp_path / "began").exists():
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)
        assert answer.result().text == "finished"
        assert process.wait(10) == 0


def wait_until_healthy(url: str) -> None:
    """Wait until the function answers."""
    end = time.monotonic() + 30
    while True:
        try:
            assert httpx.get(f"{url}/_/health").status_code == 200
        except httpx.TransportError:
            assert time.monotonic() < end
            time.sleep(0.05)
        else:
            return


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
