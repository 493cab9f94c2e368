"""The files and options of SeaweedFS, all of it in one process."""

import hashlib
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

from infra.credentials import KeyPair
from infra.render import render

SERVERS = ("master", "volume", "filer", "s3")
PORTS = (*SERVERS, *(f"{server}-grpc" for server in SERVERS), "admin")
DATABASES = 8
PORT_OFFSETS = {"admin": 10_000}
"""The port for gRPC can be given for all of them, but for the admin server it is looked for at this distance."""


def identities(administrator: KeyPair, pairs: Mapping[str, KeyPair], policies: Mapping[str, Any]) -> str:
    """Who may do what.

    Args:
        pairs: the key pair of each identity.
        policies: the S3 policy of each.
    """
    return render("servers/seaweedfs/identities.json.j2", administrator=administrator, pairs=pairs, policies=policies)


def notification(*, webhook_port: int, webhook_token: str) -> str:
    """Where new objects are announced."""
    return render("servers/seaweedfs/notification.toml.j2", webhook_port=webhook_port, webhook_token=webhook_token)


def options(data: Path, ports: Mapping[str, int]) -> list[str]:
    """Every port is given and every listener bound to the loopback: the defaults are neither."""
    values = {"dir": data, "ip": "127.0.0.1", "ip.bind": "127.0.0.1", "admin.port": ports["admin"]}
    for server in SERVERS:
        values |= {f"{server}.port": ports[server], f"{server}.port.grpc": ports[f"{server}-grpc"]}
    values |= {"s3.port.iceberg": 0, "s3.port.lance": 0, "webdav": "false", "admin.ui": "false"}
    values |= {"master.telemetry": "false", "s3.autoCreateBucket": "false"}
    # What it would resume from, the volumes tell it as well. And having resumed, version 4.48 wakes up each millisecond
    # for ever (its leader's loop keeps the timeout of the election), which is 3 to 4 % of a core for nothing.
    values |= {"master.resumeState": "false"}
    return [f"-{name}={value}" for name, value in values.items()]


def directories_of_databases() -> list[str]:
    """Directories whose entries lie in different databases of the filer: each of the eight has one.

    It chooses by the last byte of the MD5 sum of a directory's path (weed/filer/leveldb2).
    """
    found: dict[int, str] = {}
    numbers = count()
    while len(found) < DATABASES:
        path = f"/health/{next(numbers)}"
        found.setdefault(hashlib.md5(path.encode(), usedforsecurity=False).digest()[-1] % DATABASES, path)
    return list(found.values())


def remove_sockets(ports: Mapping[str, int]) -> None:
    """Delete the sockets that a server which was not given the time to do so itself has left in /tmp."""
    for name in PORTS:
        for path in Path("/tmp").glob(f"seaweedfs-*-{ports.get(name)}.sock"):  # noqa: S108 -- the store's own choice
            path.unlink(missing_ok=True)
