"""The object stores that a contract is tried on: each a real server of its own, started for these tests."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from countermark.servers.objects import ObjectStore

from infra.credentials import KeyPair, generate_secrets
from infra.local.folder import DataFolder
from infra.local.machine import SECRETS, Machine, PublicAddress
from infra.local.plan import STORE_PORTS
from infra.local.ports import pick_ports
from infra.local.process import Process
from infra.local.run import write_files
from infra.local.servers import minio_process, seaweedfs_process
from infra.local.stores import Store, store_program
from infra.local.supervise import inherited
from infra.servers.seaweedfs.configuration import PORT_OFFSETS, remove_sockets
from infra.store.settings import StoreSettings
from infra.store.setup import set_up
from infra.tools import find

SECONDS_TO_START = 60


class Server:
    """A running store, set up as ours are."""

    def __init__(self, store: Store, machine: Machine) -> None:
        self.store, self.url = store, machine.store_url
        self.administrator, self._people = machine.administrator, machine.pairs["people"]

    def people(self) -> ObjectStore:
        """What people with the key pair of the drop bucket have."""
        return self.client(self._people)

    def client(self, pair: KeyPair | None = None) -> ObjectStore:
        """A store client with these keys, the administrator's if none are given."""
        pair = pair or self.administrator
        return ObjectStore(
            self.url, access_key=pair.access_key, secret_key=pair.secret_key, region="us-east-1", timeout=20
        )


@pytest.fixture(scope="session", params=Store)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Each store; MinIO where it was built (python -m infra.tools minio)."""
    store: Store = request.param
    if store is Store.MINIO and not find("minio"):
        pytest.skip("MinIO was not built on this machine")
    folder = DataFolder(tmp_path_factory.mktemp(store))
    folder.create()
    reservations = ExitStack()
    machine = Machine(
        folder=folder,
        address=PublicAddress("127.0.0.1", 0),
        environ=inherited(os.environ) | {"NATS_URL": f"nats://nobody:nothing@127.0.0.1:{_nobody()}", "S3_ENDPOINT": ""},
        ports=pick_ports((*STORE_PORTS[store], "connector"), folder.ports, reservations, PORT_OFFSETS),
        secrets=generate_secrets(folder.secrets, SECRETS),
        store=store,
        store_program=store_program(store, print),
        cores=1,
    )
    process = minio_process(machine) if store is Store.MINIO else seaweedfs_process(machine)
    write_files(folder, [process])
    with reservations, _running(process, folder):
        pair = machine.administrator
        settings = StoreSettings(
            s3_endpoint=machine.store_url, s3_access_key=pair.access_key, s3_secret_key=pair.secret_key
        )
        set_up(settings, machine.pairs, print)
        yield Server(store, machine)
    remove_sockets(machine.ports)


@pytest.fixture(scope="session")
def store(server: Server) -> Iterator[ObjectStore]:
    """The client that functions have."""
    store = server.client()
    yield store
    store.close()


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
