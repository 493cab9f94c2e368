"""The stream: nats-server with JetStream on disk."""

from pathlib import Path

from infra.local.folder import DataFolder
from infra.local.parts import Part, answers
from infra.local.render import render_to
from infra.local.secrets import write_private

PORTS = ("nats", "nats-monitor")
USER = "countermark"


def nats_part(folder: DataFolder, ports: dict[str, int], secrets: dict[str, str], binaries: Path) -> Part:
    """The server; writes its configuration, and its address among the secrets."""
    password = secrets["nats-password"]
    write_private(folder.secrets / "nats-url", f"nats://{USER}:{password}@127.0.0.1:{ports['nats']}")
    configuration = render_to(
        folder.configuration / "nats.conf",
        "nats/nats.conf.j2",
        port=ports["nats"],
        monitor_port=ports["nats-monitor"],
        user=USER,
        password=password,
        store=str(folder.root / "nats"),
    )
    return Part(
        name="nats",
        group="servers",
        command=[str(binaries / "nats-server"), "--config", str(configuration)],
        check=answers(f"http://127.0.0.1:{ports['nats-monitor']}/healthz"),
    )
