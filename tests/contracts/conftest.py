"""The object stores that a contract is tried on: each a real server of its own, started for these tests."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from countermark.servers.objects import ObjectStore

from infra.credentials import generate_secrets
from infra.local.folder import DataFolder
from infra.local.machine import LOOPBACK, SECRETS, Machine, PublicAddress
from infra.local.plan import STORE_PORTS
from infra.local.ports import pick_ports
from infra.local.process import Process
from infra.local.run import write_files
from infra.local.servers import minio_process, seaweedfs_process
from infra.local.stores import Store, store_program
from infra.servers.seaweedfs.configuration import PORT_OFFSETS, remove_sockets
from infra.store.buckets import connect, set_up_buckets, wait_until_it_stores
from infra.store.minio import administrator, make_users
from infra.store.settings import StoreSettings
from infra.tools import find

SECONDS_TO_START = 60


class Server:
    """A running store, set up as ours are."""

    def __init__(self, name: str, url: str, secrets: Mapping[str, str]) -> None:
        self.name, self.url, self._secrets = name, url, secrets
        self.access_key, self.secret_key = secrets["s3-access-key"], secrets["s3-secret-key"]

    def people(self) -> ObjectStore:
        """What people with the key pair of the drop bucket have."""
        keys = self._secrets["people-access-key"], self._secrets["people-secret-key"]
        return self.client(access_key=keys[0], secret_key=keys[1])

    def client(self, **pair: str) -> ObjectStore:
        """A store client with these keys, the administrator's if none are given."""
        keys = {"access_key": self.access_key, "secret_key": self.secret_key} | pair
        return ObjectStore(self.url, region="us-east-1", timeout=20, **keys)


@pytest.fixture(scope="session", params=Store)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Each store; MinIO where it was built (python -m infra.tools minio)."""
    kind: Store = request.param
    if kind is Store.MINIO and not find("minio"):
        pytest.skip("MinIO was not built on this machine")
    machine = _machine(kind, tmp_path_factory.mktemp(kind))
    process = minio_process(machine) if kind is Store.MINIO else seaweedfs_process(machine)
    write_files(machine.folder, [process])
    with _running(process, machine.folder):
        keys = machine.administrator
        client = connect(machine.store_url, keys.access_key, keys.secret_key)
        set_up_buckets(client)
        wait_until_it_stores(client)
        if kind is Store.MINIO:
            settings = StoreSettings(
                s3_endpoint=machine.store_url, s3_access_key=keys.access_key, s3_secret_key=keys.secret_key
            )
            make_users(administrator(settings), machine.pairs, print)
        yield Server(kind, machine.store_url, machine.secrets)
    remove_sockets(machine.ports)


@pytest.fixture(scope="session")
def store(server: Server) -> Iterator[ObjectStore]:
    """The client that functions have."""
    store = server.client()
    yield store
    store.close()


def _machine(store: Store, root: Path) -> Machine:
    folder = DataFolder(root)
    folder.create()
    return Machine(
        folder=folder,
        address=PublicAddress(LOOPBACK, 8080),  # nobody listens there, nor at the stream
        environ={**os.environ, "NATS_URL": f"nats://nobody:nothing@{LOOPBACK}:{_nobody()}"},
        ports=pick_ports((*STORE_PORTS[store], "connector"), folder.ports, PORT_OFFSETS),
        secrets=generate_secrets(folder.secrets, SECRETS),
        store=store,
        store_program=store_program(store, print),
        cores=1,
    )


@contextmanager
def _running(process: Process, folder: DataFolder) -> Iterator[None]:
    with (folder.logs / process.name).open("wb") as log:
        running = subprocess.Popen(
            process.command, cwd=process.directory, env=process.environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait(process, running)
        yield
    finally:
        running.terminate()
        try:
            running.wait(process.stop_seconds)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def _wait(process: Process, running: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            process.check()
        except Exception:
            assert running.poll() is None
            assert time.monotonic() < end
            time.sleep(0.1)
        else:
            return


def _nobody() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
