"""What a platform is made of: its processes, each with its command, its files and its whole environment.

Nothing is written or started here; run.py does that.
"""

import sys
from collections.abc import Iterator

from countermark.settings import Settings

from infra.errors import InvalidStack
from infra.local.checks import SECONDS_TO_LIVE, Answers
from infra.local.machine import LOOPBACK, Machine
from infra.local.process import File, Process
from infra.local.servers import server_processes
from infra.local.stores import Store
from infra.project import BINARIES, ROOT, STACK, WEB
from infra.servers.gateway.site import Site, Upstream, caddyfile
from infra.servers.minio import configuration as minio
from infra.servers.seaweedfs import configuration as seaweedfs
from infra.stack import Function, Stack

INDEX = ROOT / "templates" / "python3-countermark" / "index.py"
SECONDS_TO_DRAIN = 60
"""What a function and the connector get to finish what they are at."""
SHARE_A_CORE = 2
"""Images of one owner in line for each core, which all copies of watermark share: one that is marked, and one that is
next. With four, another owner's image waited twice as long, and no more were marked."""
STORE_PORTS = {Store.SEAWEEDFS: seaweedfs.PORTS, Store.MINIO: minio.PORTS}


def port_names(stack: Stack, store: Store, cores: int) -> list[str]:
    """Everything that has a port, beside the public one."""
    copies = [copy for name, function in stack.functions.items() for copy in copies_of(name, function, cores)]
    return ["nats", "nats-monitor", "postgres", *STORE_PORTS[store], "gateway", "connector", *copies]


def copies_of(name: str, function: Function, cores: int) -> list[str]:
    """The names of a function's processes."""
    number = cores if function.replicas == "cores" else function.replicas
    return [name] if number == 1 else [f"{name}-{each}" for each in range(1, number + 1)]


def plan(settings: Settings, stack: Stack, machine: Machine) -> list[Process]:
    """Every process of the platform.

    Raises:
        InvalidStack: a function's handler is not there.
    """
    workers = [process for each in stack.functions.items() for process in _function_processes(*each, machine)]
    return [
        *server_processes(machine),
        _gateway_process(settings, stack, machine),
        *workers,
        _connector_process(machine),
    ]


def _gateway_process(settings: Settings, stack: Stack, machine: Machine) -> Process:
    """Caddy: the public address, and a second one for the connector."""
    address, folder = machine.address, machine.folder
    site = Site(
        port=address.port,
        hosts=address.hosts,
        gateway_port=machine.ports["gateway"],
        functions={name: _upstream(name, function, machine) for name, function in stack.functions.items()},
        store=machine.store_url,
        max_object_bytes=settings.max_job_bytes,
        web=str(WEB),
        storage=str(folder.root / "caddy"),
    )
    configuration = File(path=folder.configuration / "Caddyfile", text=caddyfile(site))
    return Process(
        name="caddy",
        group="gateway",
        command=[str(BINARIES / "caddy"), "run", "--adapter", "caddyfile", "--config", str(configuration.path)],
        environment=machine.environment(),
        files=(configuration,),
        check=Answers(f"{address.local_url}/healthz"),
        health=Answers(f"{address.local_url}/healthz", SECONDS_TO_LIVE),
    )


def _upstream(name: str, function: Function, machine: Machine) -> Upstream:
    return Upstream(
        addresses=[f"{LOOPBACK}:{machine.ports[copy]}" for copy in copies_of(name, function, machine.cores)],
        max_body_bytes=function.max_body_bytes,
        public=function.public,
    )


def _function_processes(name: str, function: Function, machine: Machine) -> Iterator[Process]:
    folder = ROOT / function.handler
    if not (folder / "handler.py").is_file():
        raise InvalidStack(f"{STACK}: functions.{name}.handler: there is no {folder / 'handler.py'}")
    secrets = machine.secrets_folder(name)
    known = {"nats-url": machine.nats_url("functions")} if machine.has_nats else {}
    if machine.has_database:
        known["database-url"] = machine.database_url
    if pair := machine.pairs.get(name):
        known |= {"s3-access-key": pair.access_key, "s3-secret-key": pair.secret_key}
    for copy in copies_of(name, function, machine.cores):
        port = machine.ports[copy]
        yield Process(
            name=copy,
            group="functions",
            command=[sys.executable, str(INDEX)],
            # What the caller's environment says goes before what the stack file says.
            environment={"LINE_SHARE": str(SHARE_A_CORE * machine.cores)}
            | ({"MEMORY_LIMIT": function.limits.memory} if function.limits.memory else {})
            | function.environment
            | machine.environment(
                FUNCTION_DIR=str(folder), FUNCTION_NAME=name, SECRETS_DIR=str(secrets), PORT=str(port)
            ),
            files=tuple(File(path=secrets / key, text=value) for key, value in known.items()),
            check=Answers(f"http://{LOOPBACK}:{port}/_/health"),
            stop_seconds=SECONDS_TO_DRAIN,
        )


def _connector_process(machine: Machine) -> Process:
    port, secrets = machine.ports["connector"], machine.secrets_folder("connector")
    known = {"webhook-token": machine.secrets["webhook-token"]}
    if machine.has_nats:
        known["nats-url"] = machine.nats_url("connector")
    return Process(
        name="connector",
        group="connector",
        command=[sys.executable, "-m", "infra.connector"],
        environment=machine.environment(
            FUNCTION_URL=f"http://{LOOPBACK}:{machine.ports['gateway']}/function/{{function}}",
            SECRETS_DIR=str(secrets),
            STACK_FILE=str(STACK),
            PORT=str(port),
        ),
        files=tuple(File(path=secrets / key, text=value) for key, value in known.items()),
        check=Answers(f"http://{LOOPBACK}:{port}/healthz"),
        starts_at_once=False,
        stop_seconds=SECONDS_TO_DRAIN,
    )
