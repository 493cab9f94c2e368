"""How a function is served: by its environment, and with its handler."""

import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType

import httpx
import pytest
from countermark.http.application import make_app
from countermark.http.calls import Event
from countermark.http.leaving import Leaving
from countermark.http.request import Context
from countermark.http.serve import function_name, load_handler, make_server
from countermark.http.serving import Serving, read_serving
from countermark.settings import InvalidSettings, Settings, settings

FUNCTIONS = sorted(path.parent for path in (Path(__file__).parents[3] / "functions").glob("*/handler.py"))
BESIDE = """
def greeting():
    return "from beside"
"""
HANDLER = """
from .beside import greeting


def handle(event, context):
    return greeting()
"""


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process that has loaded no function yet, and whose environment has no settings."""
    for name in [*Settings.model_fields, "secrets_dir"]:
        monkeypatch.delenv(name.upper(), raising=False)
    with monkeypatch.context() as context:
        for name in list(sys.modules):
            if name.partition(".")[0] == "function" or name == "countermark.services":
                context.delitem(sys.modules, name)
        settings.cache_clear()
        yield
        for name in list(sys.modules):
            if name.partition(".")[0] == "function":
                del sys.modules[name]


@pytest.mark.parametrize("variable", ["FUNCTION_NAME", "OPENFAAS_NAME", "K_SERVICE"])
def test_each_platform_says_the_functions_name(variable: str) -> None:
    assert function_name({variable: "mirror"}) == "mirror"


def test_a_function_without_a_name_has_one() -> None:
    assert function_name({"FUNCTION_NAME": ""}) == "function"


def test_without_settings_it_is_served_for_this_machine_alone(tmp_path: Path) -> None:
    assert read_serving({}, tmp_path) == Serving(
        folder=tmp_path,
        host="127.0.0.1",
        port=5000,
        max_inflight=4,
        max_inflight_per_caller=64,
        max_body_bytes=100 * 1024 * 1024,
    )


def test_the_environment_says_how_it_is_served(tmp_path: Path) -> None:
    environment = {
        "FUNCTION_DIR": str(tmp_path),
        "BIND": "10.0.0.7",
        "PORT": "0",
        "max_inflight": "2",
        "max_inflight_per_caller": "1",
        "max_body_bytes": "10",
    }
    assert read_serving(environment, Path("/nowhere")) == Serving(
        folder=tmp_path, host="10.0.0.7", port=0, max_inflight=2, max_inflight_per_caller=1, max_body_bytes=10
    )


def test_every_wrong_number_is_named_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings) as caught:
        read_serving({"PORT": "-1", "max_inflight": "0", "max_body_bytes": "1e6"}, tmp_path)
    assert str(caught.value) == (
        "PORT must be a whole number, 0 or more, and is '-1'; "
        "max_inflight must be a whole number, 1 or more, and is '0'; "
        "max_body_bytes must be a whole number, 1 or more, and is '1e6'"
    )


def test_a_handler_imports_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text(HANDLER)
    (tmp_path / "beside.py").write_text(BESIDE)
    app = make_app(load_handler(tmp_path).handle, name="greeting", leaving=Leaving())
    assert app.test_client().get("/").text == "from beside"


def test_a_folder_without_a_handler_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"no handler\.py in .* \(FUNCTION_DIR\)"):
        load_handler(tmp_path)


def test_a_folder_that_is_a_package_is_told(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text(HANDLER)
    (tmp_path / "__init__.py").touch()
    with pytest.raises(InvalidSettings, match=r"must not have an __init__\.py"):
        load_handler(tmp_path)


@pytest.fixture
def bodies(tmp_path: Path) -> Iterator[tuple[int, list[bytes]]]:
    """The port of a server that takes ten bytes, and the bodies that its handler got."""
    got: list[bytes] = []

    def handle(event: Event, _context: Context) -> str:
        got.append(event.body)
        return "taken"

    handler = ModuleType("handler")
    handler.handle = handle  # type: ignore[attr-defined]
    serving = read_serving({"PORT": "0", "max_body_bytes": "10"}, tmp_path)
    server = make_server(handler, "bodies", serving, Leaving())
    thread = threading.Thread(target=server.run)
    thread.start()
    yield server.port, got
    server.drain()
    thread.join()


def test_a_handler_is_called_when_the_whole_body_has_arrived(bodies: tuple[int, list[bytes]]) -> None:
    port, got = bodies
    with closing(socket.create_connection(("127.0.0.1", port))) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 10\r\n\r\nfirst")
        time.sleep(0.2)
        assert got == []
        connection.sendall(b"later")
        with connection.makefile("rb") as answer:
            assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
    assert got == [b"firstlater"]


def test_a_body_has_no_more_bytes_than_it_may(bodies: tuple[int, list[bytes]]) -> None:
    port, got = bodies
    assert httpx.post(f"http://127.0.0.1:{port}", content=b"eleven byte").status_code == 413
    assert got == []


@pytest.mark.parametrize("folder", FUNCTIONS, ids=lambda folder: folder.name)
def test_a_function_that_works_with_the_servers_is_not_served_without_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_FILES", "many")
    with pytest.raises(InvalidSettings) as caught:
        load_handler(folder)
    told = str(caught.value)
    assert len(told.splitlines()) == 1
    for setting in ("NATS_URL", "DATABASE_URL", "S3_ENDPOINT", "S3_ACCESS_KEY", "S3_SECRET_KEY", "MAX_FILES"):
        assert f"{setting}: " in told
