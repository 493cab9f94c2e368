"""The images, built from the real Dockerfiles and run as a pod runs them; `make test-images`, not part of `make test`.

What stands in for images from registries is told in tests/images/buildah.py.
"""

import io
import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from PIL import Image

from infra.images.contexts import lay_out_function, lay_out_recipe
from infra.local.ports import pick_free_port
from infra.servers.gateway.site import Site, caddyfile
from infra.stack import read_stack
from tests.images.buildah import Images, buildah, end, images, run
from tests.platform_driver import wait_until
from tests.served import answers

ROOT = Path(__file__).parents[2]
PHOTOGRAPH = ROOT / "tests" / "photographs" / "dogs.jpg"
KERNEL = "from countermark.engine import dct; print(dct.kernel() is not None, dct.why_missing())"
SERVERS = {
    "NATS_URL": "nats://127.0.0.1:1",
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
    "S3_ENDPOINT": "http://127.0.0.1:1",
    "S3_ACCESS_KEY": "key",
    "S3_SECRET_KEY": "secret",
}
"""Nowhere: a function does not start without knowing its servers, and needs none for an image that it is sent."""
SECONDS_TO_START = 20
"""That a cold start may take on a busy machine."""


@pytest.fixture(scope="module")
def own() -> Iterator[Images]:
    """A store of images of its own."""
    with images() as store:
        yield store


@pytest.fixture(scope="module")
def watermark(own: Images, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root folder of a container of the watermark function."""
    context = lay_out_function(ROOT, read_stack(ROOT / "stack.yml", {}), "watermark", tmp_path_factory.mktemp("a"))
    return own.build(context, "watermark")


@pytest.fixture(scope="module")
def connector(own: Images, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root folder of a container of the connector."""
    return own.build(lay_out_recipe(ROOT, "connector", tmp_path_factory.mktemp("b")), "connector")


@pytest.fixture(scope="module")
def gateway(own: Images, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root folder of a container of the gateway."""
    return own.build(lay_out_recipe(ROOT, "gateway", tmp_path_factory.mktemp("c")), "gateway")


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str, object], None]:
    """Prints a figure among the results."""

    def told(name: str, figure: object) -> None:
        with capsys.disabled():
            print(f"\n  {name}: {figure}")

    return told


def configuration(name: str) -> dict[str, Any]:
    """What an image says about how it is run."""
    told: dict[str, Any] = json.loads(buildah("inspect", "--type", "image", f"localhost/{name}"))["Docker"]["config"]
    return told


def test_a_function_marks_an_image_where_nothing_can_be_written(
    watermark: Path, tell: Callable[[str, object], None]
) -> None:
    port, started = str(pick_free_port()), time.monotonic()
    process = run(watermark, "python", "index.py", PORT=port, K_SERVICE="watermark", **SERVERS)
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/_/ready"), SECONDS_TO_START)
        tell("cold start, seconds", round(time.monotonic() - started, 2))
        answer = httpx.post(f"http://127.0.0.1:{port}/?text=image", content=PHOTOGRAPH.read_bytes(), timeout=30)
        assert answer.status_code == 200
        with Image.open(io.BytesIO(answer.content)) as marked:
            assert marked.format == "JPEG"
        (function,) = [each for each in psutil.Process(process.pid).children(recursive=True) if "python" in each.name()]
        assert function.uids().effective == 10001
        function.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        end(process)


def test_a_functions_image_has_the_kernel_and_everything_compiled(watermark: Path) -> None:
    process = run(watermark, "python", "-c", KERNEL, PYTHONPATH="/home/app/function/functions")
    assert process.communicate(timeout=30)[0].strip() == "True None"
    app = watermark / "home" / "app"
    sources = [path for path in app.rglob("*.py") if "__pycache__" not in path.parts]
    assert sources
    for path in sources:
        assert list((path.parent / "__pycache__").glob(f"{path.stem}.*.pyc")), path


def test_a_functions_image_holds_nothing_to_build_with(watermark: Path) -> None:
    assert not (watermark / "usr/bin/gcc").exists()
    assert not (watermark / "opt/venv/bin/pip").exists()
    assert not list((watermark / "home/app").rglob("*.c"))


def test_a_functions_image_says_how_it_is_run(watermark: Path) -> None:
    assert watermark.is_dir()
    told = configuration("watermark")
    assert (told["User"], told["Cmd"]) == ("10001:10001", ["sh", "-c", "rm -f /tmp/.lock; exec fwatchdog"])
    assert "_/health" in " ".join(told["Healthcheck"]["Test"])
    assert {"fprocess=python index.py --behind-watchdog", "mode=http", "ready_path=/_/ready"} <= set(told["Env"])


@pytest.mark.parametrize("module", ["infra.connector", "infra.store"])
def test_the_connectors_image_has_what_its_programs_import(connector: Path, module: str) -> None:
    process = run(connector, "python", "-m", module)
    told = process.communicate(timeout=60)[0].strip()
    assert process.returncode == 1
    assert len(told.splitlines()) == 1, told
    assert ("NATS_URL" if module == "infra.connector" else "S3_ENDPOINT") in told


def test_the_gateways_image_serves_the_pages_where_nothing_can_be_written(gateway: Path) -> None:
    port = pick_free_port()
    site = Site(
        port=port,
        hosts=["127.0.0.1"],
        functions={},
        store="http://127.0.0.1:1",
        max_object_bytes=1,
        web="/srv/web",
        storage="/tmp/caddy",
    )
    (gateway / "etc/countermark").mkdir(parents=True)
    (gateway / "etc/countermark/Caddyfile").write_text(caddyfile(site))
    process = run(gateway, *configuration("gateway")["Cmd"])
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/healthz"), SECONDS_TO_START)
        page = httpx.get(f"http://127.0.0.1:{port}/")
        assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        script = httpx.get(f"http://127.0.0.1:{port}/upload.js")
        assert script.headers["Content-Type"].startswith("text/javascript")
    finally:
        end(process)


def test_images_are_no_larger_than_they_need_be(
    own: Images, watermark: Path, connector: Path, gateway: Path, tell: Callable[[str, object], None]
) -> None:
    assert all(path.is_dir() for path in (own.folder, watermark, connector, gateway))
    base = size("python")
    for name, most in (("watermark", 200), ("connector", 260)):
        tell(f"{name}, MB above its base", size(name) - base)
        assert size(name) - base < most
    tell("gateway, MB", size("gateway"))
    assert size("gateway") < 80


def size(name: str) -> int:
    """Megabytes of an image, with its base."""
    root = next(iter(json.loads(buildah("images", "--json", f"localhost/{name}"))))
    number, unit = root["size"].split()
    return round(float(number) * {"kB": 0.001, "MB": 1, "GB": 1000}[unit])
