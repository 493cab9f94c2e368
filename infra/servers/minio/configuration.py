"""MinIO's environment."""

from urllib.parse import unquote, urlsplit

from infra.credentials import KeyPair
from infra.render import render

PORTS = ("s3",)
DEFAULT_NATS_PORT = 4222


def environment(administrator: KeyPair, *, nats_url: str, queue_folder: str) -> str:
    """The file that MINIO_CONFIG_ENV_FILE names.

    Args:
        nats_url: where it announces new objects, with user and password.
        queue_folder: keeps what the stream has not taken yet.
    """
    stream = urlsplit(nats_url)
    return render(
        "servers/minio/minio.env.j2",
        administrator=administrator,
        nats_address=f"{stream.hostname}:{stream.port or DEFAULT_NATS_PORT}",
        nats_user=unquote(stream.username or ""),
        nats_password=unquote(stream.password or ""),
        queue_folder=queue_folder,
    )
