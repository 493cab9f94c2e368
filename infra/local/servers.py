"""The servers of a platform, and what each of its processes may know of them."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra.errors import PlatformError
from infra.local import nats, postgres
from infra.local.folder import DataFolder
from infra.local.parts import Part
from infra.local.secrets import generate_secrets, give_secrets, write_drop_credentials
from infra.local.stores import Store, store_part
from infra.store.access import KeyPair
from infra.store.settings import read_pairs


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Those that run here; an address in the environment stands for one that runs elsewhere."""

    folder: DataFolder
    parts: list[Part]
    addresses: dict[str, dict[str, str]]
    """Of the stream and the database, as secret files: for the functions and for the connector."""
    pairs: dict[str, KeyPair]
    """The key pairs of the store's identities; none when the store runs elsewhere."""

    def secrets_folder(self, process: str, kind: str = "functions") -> Path:
        """The folder with what a process may know."""
        values = dict(self.addresses[kind])
        if pair := self.pairs.get(process):
            values |= {"s3-access-key": pair.access_key, "s3-secret-key": pair.secret_key}
        return give_secrets(self.folder.secrets, process, values)


def make_servers(
    folder: DataFolder, ports: dict[str, int], store: Store, binaries: Path, say: Callable[[str], None]
) -> Servers:
    """Decide which servers run here, and write their configuration.

    The environment of this process is completed: every part inherits it.

    Raises:
        PlatformError: one can't be had, or a setting of one that runs elsewhere is missing.
    """
    os.environ["SECRETS_DIR"] = str(folder.secrets)
    secrets = generate_secrets(folder.secrets)
    parts: list[Part] = []
    connector = {"webhook-token": secrets["webhook-token"]}
    functions: dict[str, str] = {}
    if not os.environ.get("NATS_URL"):
        parts.append(nats.nats_part(folder, ports, secrets, binaries))
        connector["nats-url"] = nats.nats_url("connector", ports, secrets)
        functions["nats-url"] = nats.nats_url("functions", ports, secrets)
    if not os.environ.get("DATABASE_URL"):
        parts.append(postgres.postgres_part(folder, ports, secrets))
        functions["database-url"] = (folder.secrets / "database-url").read_text(encoding="utf-8")
    pairs = {} if os.environ.get("S3_ENDPOINT") else read_pairs(folder.secrets)
    if pairs:
        stream = os.environ.get("NATS_URL") or nats.nats_url("minio", ports, secrets)
        parts.append(store_part(store, folder, ports, secrets, binaries=binaries, nats_url=stream, say=say))
        write_drop_credentials(folder.secrets, pairs["drop"])
        os.environ["S3_ENDPOINT"] = f"http://127.0.0.1:{ports['s3']}"
        for name in ("S3_ACCESS_KEY", "S3_SECRET_KEY"):  # for another store; this one's are in the files
            os.environ.pop(name, None)
    elif missing := [name for name in ("S3_ACCESS_KEY", "S3_SECRET_KEY") if not os.environ.get(name)]:
        raise PlatformError(f"S3_ENDPOINT is given, so {' and '.join(missing)} must be given as well.")
    addresses = {"functions": functions, "connector": connector}
    return Servers(folder=folder, parts=parts, addresses=addresses, pairs=pairs)
