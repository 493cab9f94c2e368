"""The object stores that a contract is tried on: each a real server of its own, started for these tests."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from countermark.servers.objects import ObjectStore
from infra.local.minio import PORTS as MINIO_PORTS
from infra.local.minio import minio_part
from infra.local.parts import Part
from infra.local.seaweedfs import PORT_OFFSETS, remove_sockets, seaweedfs_part
from infra.local.seaweedfs import PORTS as SEAWEEDFS_PORTS
from infra.local.secrets import generate_secrets

from infra.local.folder import DataFolder
from infra.local.ports import pick_ports
from infra.store.buckets import connect, set_up_buckets, wait_until_it_stores
from infra.store.minio import administrator, make_users
from infra.store.settings import StoreSettings, read_pairs
from infra.tools import find

SECONDS_TO_START = 60
SECONDS_A_DAY = 86_400


class Server:
    """A running store, set up as ours are."""

    def __init__(self, name: str, url: str, secrets: Mapping[str, str]) -> None:
        self.name, self.url, self._secrets = name, url, secrets
        self.access_key, self.secret_key = secrets["s3-access-key"], secrets["s3-secret-key"]

    def people(self) -> ObjectStore:
        """What people with the key pair of the drop bucket have."""
        keys = self._secrets["drop-access-key"], self._secrets["drop-secret-key"]
        return self.client(access_key=keys[0], secret_key=keys[1])

    def client(self, **pair: str) -> ObjectStore:
        """A store client with these keys, the administrator's if none are given."""
        keys = {"access_key": self.access_key, "secret_key": self.secret_key} | pair
        return ObjectStore(self.url, region="us-east-1", timeout=20, **keys)


@pytest.fixture(scope="session", params=["seaweedfs", "minio"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Each store; MinIO where it was built (python -m infra.tools minio)."""
    if request.param == "minio" and not find("minio"):
        pytest.skip("MinIO was not built on this machine")
    folder = DataFolder(tmp_path_factory.mktemp(request.param))
    folder.create()
    secrets = generate_secrets(folder.secrets)
    if request.param == "minio":
        ports = pick_ports(MINIO_PORTS, folder.ports)
        part = minio_part(folder, ports, secrets, f"nats://nobody:nothing@127.0.0.1:{_nobody()}", print)
    else:
        ports = pick_ports((*SEAWEEDFS_PORTS, "connector"), folder.ports, PORT_OFFSETS)
        part = seaweedfs_part(folder, ports, secrets, Path(sys.executable).parent)
    with _running(part, folder):
        url, pair = f"http://127.0.0.1:{ports['s3']}", (secrets["s3-access-key"], secrets["s3-secret-key"])
        client = connect(url, *pair)
        set_up_buckets(client, seconds=SECONDS_A_DAY)
        wait_until_it_stores(client)
        if request.param == "minio":
            settings = StoreSettings(s3_endpoint=url, s3_access_key=pair[0], s3_secret_key=pair[1])
            make_users(administrator(settings), read_pairs(folder.secrets), print)
        yield Server(request.param, url, secrets)
    remove_sockets(ports)


@pytest.fixture(scope="session")
def store(server: Server) -> Iterator[ObjectStore]:
    """The client that functions have."""
    store = server.client()
    yield store
    store.close()


@contextmanager
def _running(part: Part, folder: DataFolder) -> Iterator[None]:
    with (folder.logs / part.name).open("wb") as log:
        process = subprocess.Popen(
            part.command, cwd=part.directory, env=os.environ | part.environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait(part, process)
        yield
    finally:
        process.terminate()
        try:
            process.wait(part.stop_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(part: Part, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            part.check()
        except Exception:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.1)
        else:
            return


def _nobody() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
