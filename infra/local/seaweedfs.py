"""The object store: SeaweedFS, all of it in one process."""

from pathlib import Path

from infra.local.folder import DataFolder
from infra.local.parts import Part
from infra.local.render import render_to
from infra.store.access import policy_of
from infra.store.buckets import connect
from infra.store.settings import read_pairs

SERVERS = ("master", "volume", "filer", "s3")
PORTS = (*SERVERS, *(f"{server}-grpc" for server in SERVERS), "admin")
PORT_OFFSETS = {"admin": 10_000}
"""The port for gRPC can be given for all of them, but for the admin server it is looked for at this distance."""

MEMORY = "640MiB"
"""What its collector keeps to. Under load it would take a fifth more, and with 384 MiB it is a tenth slower."""


def seaweedfs_part(folder: DataFolder, ports: dict[str, int], secrets: dict[str, str], binaries: Path) -> Part:
    """The server; writes who may do what, and where it announces new objects."""
    data = folder.root / "seaweedfs"
    data.mkdir(mode=0o700, exist_ok=True)
    identities = render_to(
        folder.configuration / "identities.json",
        "seaweedfs/identities.json.j2",
        access_key=secrets["s3-access-key"],
        secret_key=secrets["s3-secret-key"],
        pairs=read_pairs(folder.secrets),
        policy_of=policy_of,
    )
    render_to(
        folder.configuration / "notification.toml",
        "seaweedfs/notification.toml.j2",
        webhook_port=ports["connector"],
        webhook_token=secrets["webhook-token"],
    )
    client = connect(f"http://127.0.0.1:{ports['s3']}", secrets["s3-access-key"], secrets["s3-secret-key"])
    return Part(
        name="seaweedfs",
        group="servers",
        command=[str(binaries / "weed"), "mini", *_options(data, ports), f"-s3.config={identities}"],
        directory=folder.configuration,  # it looks for notification.toml there
        environment={"GOMEMLIMIT": MEMORY},
        # The port is open before requests with a signature succeed.
        check=client.list_buckets,
        # Its filer waits ten seconds for streams that nobody ends. By then nothing writes any more, and what was
        # acknowledged is in its files.
        stop_seconds=3,
    )


def _options(data: Path, ports: dict[str, int]) -> list[str]:
    """Every port is given and every listener bound to the loopback: the defaults are neither."""
    options = {"dir": data, "ip": "127.0.0.1", "ip.bind": "127.0.0.1", "admin.port": ports["admin"]}
    for server in SERVERS:
        options |= {f"{server}.port": ports[server], f"{server}.port.grpc": ports[f"{server}-grpc"]}
    options |= {"s3.port.iceberg": 0, "s3.port.lance": 0, "webdav": "false", "admin.ui": "false"}
    options |= {"master.telemetry": "false", "s3.autoCreateBucket": "false"}
    return [f"-{name}={value}" for name, value in options.items()]


def remove_sockets(ports: dict[str, int]) -> None:
    """Delete the sockets that a store which was not given the time to do so itself has left in /tmp."""
    for name in PORTS:
        for path in Path("/tmp").glob(f"seaweedfs-*-{ports.get(name)}.sock"):  # noqa: S108 -- the store's own choice
            path.unlink(missing_ok=True)
