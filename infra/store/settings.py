"""What the set-up of a store is told."""

import os
from pathlib import Path

from countermark.settings import InvalidSettings, SecretSettings
from pydantic import Field, SecretStr

from infra.credentials import KeyPair
from infra.store.access import ACCESS


class StoreSettings(SecretSettings):
    """The store, and the key pair of its administrator."""

    s3_endpoint: str = Field(pattern="^https?://")
    s3_access_key: SecretStr
    s3_secret_key: SecretStr
    s3_region: str = "us-east-1"


def secrets_folder() -> Path:
    """Where secret files are."""
    return Path(os.environ.get("SECRETS_DIR", "/var/openfaas/secrets"))


def read_pairs(folder: Path) -> dict[str, KeyPair]:
    """The key pairs of identities, from the files ``<identity>-access-key`` and ``<identity>-secret-key``.

    Raises:
        InvalidSettings: a pair has one half.
    """
    pairs = {}
    for identity in ACCESS:
        values = [_read(folder / f"{identity}-{half}-key") for half in ("access", "secret")]
        if all(values):
            pairs[identity] = KeyPair(access_key=values[0], secret_key=values[1])
        elif any(values):
            raise InvalidSettings(f"{folder}: of {identity}-access-key and {identity}-secret-key one is missing")
    return pairs


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""
