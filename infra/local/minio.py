"""The object store: MinIO, built from its source."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from infra.errors import PlatformError
from infra.local.folder import DataFolder
from infra.local.parts import Part
from infra.local.render import render_to
from infra.store.buckets import connect
from infra.tools import ToolError, install

PORTS = ("s3",)
DEFAULT_NATS_PORT = 4222


def minio_part(
    folder: DataFolder, ports: dict[str, int], secrets: dict[str, str], nats_url: str, say: Callable[[str], None]
) -> Part:
    """The server; writes its environment, and builds the program if that was not done before.

    Args:
        nats_url: where it announces new objects, with user and password.

    Raises:
        PlatformError: it can't be built.
    """
    try:
        program = install("minio", say)
    except ToolError as error:
        raise PlatformError(f"MinIO can't be built: {error}") from None
    address = f"127.0.0.1:{ports['s3']}"
    data, certificates = folder.root / "minio", folder.configuration / "minio"
    for path in (data, certificates):
        path.mkdir(mode=0o700, exist_ok=True)
    environment = _environment(folder, secrets, nats_url)
    client = connect(f"http://{address}", secrets["s3-access-key"], secrets["s3-secret-key"])
    return Part(
        name="minio",
        group="servers",
        # Without a folder for certificates it would look for some in the user's home.
        command=[str(program), "server", "--quiet", "--address", address, "--certs-dir", str(certificates), str(data)],
        environment={"MINIO_CONFIG_ENV_FILE": str(environment)},
        check=client.list_buckets,
    )


def _environment(folder: DataFolder, secrets: dict[str, str], nats_url: str) -> Path:
    stream = urlsplit(nats_url)
    return render_to(
        folder.configuration / "minio.env",
        "minio/minio.env.j2",
        root_user=secrets["s3-access-key"],
        root_password=secrets["s3-secret-key"],
        nats_address=f"{stream.hostname}:{stream.port or DEFAULT_NATS_PORT}",
        nats_user=unquote(stream.username or ""),
        nats_password=unquote(stream.password or ""),
        queue_dir=str(folder.root / "minio-events"),
    )
