"""The stream: nats-server with JetStream on disk."""

from pathlib import Path

from infra.local.folder import DataFolder
from infra.local.parts import Part, answers
from infra.local.render import render_to
from infra.local.secrets import NATS_USERS, write_private

PORTS = ("nats", "nats-monitor")


def nats_part(folder: DataFolder, ports: dict[str, int], secrets: dict[str, str], binaries: Path) -> Part:
    """The server; writes its configuration, and its administrator's address among the secrets."""
    write_private(folder.secrets / "nats-url", nats_url("connector", ports, secrets))
    configuration = render_to(
        folder.configuration / "nats.conf",
        "nats/nats.conf.j2",
        port=ports["nats"],
        monitor_port=ports["nats-monitor"],
        passwords={user: secrets[f"{user}-nats-password"] for user in NATS_USERS},
        store=str(folder.root / "nats"),
    )
    return Part(
        name="nats",
        group="servers",
        command=[str(binaries / "nats-server"), "--config", str(configuration)],
        check=answers(f"http://127.0.0.1:{ports['nats-monitor']}/healthz"),
    )


def nats_url(user: str, ports: dict[str, int], secrets: dict[str, str]) -> str:
    """The address of the stream for one of its users."""
    return f"nats://{user}:{secrets[f'{user}-nats-password']}@127.0.0.1:{ports['nats']}"
