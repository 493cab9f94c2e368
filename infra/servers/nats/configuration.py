"""The files of nats-server, and the address of the stream."""

from collections.abc import Mapping

from infra.render import render

USERS = ("connector", "functions", "minio")


def passwords_of(secrets: Mapping[str, str]) -> dict[str, str]:
    """The password of each user, among secrets."""
    return {user: secrets[f"{user}-nats-password"] for user in USERS}


def users(secrets: Mapping[str, str]) -> str:
    """Who may publish and listen to what."""
    return render("servers/nats/users.conf.j2", passwords=passwords_of(secrets))


def configuration(secrets: Mapping[str, str], *, port: int, monitor_port: int, store: str) -> str:
    """A server for one machine; its users are in it."""
    return render(
        "servers/nats/nats.conf.j2",
        passwords=passwords_of(secrets),
        port=port,
        monitor_port=monitor_port,
        store=store,
    )


def url(user: str, secrets: Mapping[str, str], address: str) -> str:
    """The address of the stream for one of its users."""
    return f"nats://{user}:{secrets[f'{user}-nats-password']}@{address}"
