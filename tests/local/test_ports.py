"""Ports are free ones, remembered, and named when taken."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from infra.errors import PlatformError
from infra.local.ports import CHOICE, OUTGOING, is_free, pick_free_port, pick_ports, require_free


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that this process listens on."""
    with socket.create_server(("127.0.0.1", pick_free_port())) as server:
        yield server.getsockname()[1]


@pytest.fixture
def own() -> Iterator[ExitStack]:
    """A platform's reservations."""
    with ExitStack() as reservations:
        yield reservations


def test_every_name_gets_a_port_of_its_own(tmp_path: Path, own: ExitStack) -> None:
    ports = pick_ports([f"part-{number}" for number in range(50)], tmp_path / "ports.json", own)
    assert len(set(ports.values())) == 50
    assert all(port in CHOICE and is_free(port) for port in ports.values())


def test_ports_are_remembered(tmp_path: Path, own: ExitStack) -> None:
    file = tmp_path / "ports.json"
    with ExitStack() as before:
        first = pick_ports(["a", "b"], file, before)
    assert pick_ports(["b", "a", "c"], file, own).items() >= first.items()


def test_a_platform_keeps_its_ports_while_a_process_is_away(tmp_path: Path, own: ExitStack) -> None:
    file = tmp_path / "ports.json"
    with ExitStack() as running:
        ports = pick_ports(["a", "b"], file, running)
        assert not {*pick_ports(["a", "b"], file, own).values()} & {*ports.values()}
        public = pick_free_port()
        require_free(public, ["127.0.0.1"], running)
        with pytest.raises(PlatformError, match=f"Port {public} is taken by another program"):
            require_free(public, ["127.0.0.1"], own)
    require_free(public, ["127.0.0.1"], own)


def test_a_remembered_port_that_is_taken_is_replaced(tmp_path: Path, taken: int, own: ExitStack) -> None:
    file = tmp_path / "ports.json"
    file.write_text(json.dumps({"a": taken, "b": 20_001}))
    ports = pick_ports(["a"], file, own)
    assert ports["a"] not in {taken, 20_001}
    assert json.loads(file.read_text()) == {"a": ports["a"], "b": 20_001}


def test_a_second_port_of_a_program_is_free_and_is_none_for_outgoing_connections(
    tmp_path: Path, own: ExitStack
) -> None:
    file = tmp_path / "ports.json"
    with ExitStack() as before:
        port = pick_ports(["a"], file, before, {"a": 10_000})["a"]
    assert port + 10_000 < OUTGOING
    with socket.create_server(("127.0.0.1", port + 10_000)):
        assert pick_ports(["a"], file, own, {"a": 10_000})["a"] != port


def test_a_port_is_free_again_right_after_its_connections_ended() -> None:
    port = pick_free_port()
    with socket.create_server(("127.0.0.1", port)) as server, socket.create_connection(("127.0.0.1", port)):
        server.accept()[0].close()  # the side that closes first keeps the port for a minute, in TIME_WAIT
    assert is_free(port)


def test_a_taken_public_port_is_named_with_its_program(taken: int, own: ExitStack) -> None:
    with pytest.raises(PlatformError) as caught:
        require_free(taken, ["127.0.0.1"], own)
    message = str(caught.value)
    assert f"Port {taken} is taken by {psutil.Process().name()} (process {os.getpid()})" in message
    assert f"PORT={taken + 1}" in message
    assert "\n" not in message


def test_an_address_that_this_machine_does_not_have_is_named(own: ExitStack) -> None:
    with pytest.raises(PlatformError, match=r"198\.51\.100\.7, port 8080"):
        require_free(8080, ["198.51.100.7"], own)
