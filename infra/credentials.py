"""Secrets: made once, kept in files that only their owner reads, never printed."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOR_PEOPLE = "drop-credentials"
"""The file with the key pair of people: what AWS_SHARED_CREDENTIALS_FILE names, for their S3 clients."""

CREDENTIALS = """[default]
aws_access_key_id = {pair.access_key}
aws_secret_access_key = {pair.secret_key}
region = us-east-1
"""


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    """What an identity of the object store signs its requests with."""

    access_key: str
    secret_key: str


def write_private(path: Path, text: str, mode: int = 0o600, *, durable: bool = False) -> None:
    """Write a file that only its owner reads, whole or not at all.

    Args:
        durable: also when the machine loses its power.
    """
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(text)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    new.chmod(mode)
    new.replace(path)


def generate_secrets(folder: Path, wanted: Mapping[str, int]) -> dict[str, str]:
    """The secrets of a folder by name; those that are not there yet are made.

    Args:
        wanted: name and bytes of randomness of each.
    """
    values = {}
    for name, size in wanted.items():
        path = folder / name
        if not path.is_file():
            # Letters and digits only: the values stand in URLs and in the files of four servers.
            write_private(path, secrets.token_hex(size), durable=True)
        values[name] = path.read_text(encoding="utf-8")
    return values


def key_pair(identity: str, values: Mapping[str, str]) -> KeyPair:
    """The key pair of an identity among secrets."""
    return KeyPair(access_key=values[f"{identity}-access-key"], secret_key=values[f"{identity}-secret-key"])


def credentials_file(pair: KeyPair) -> str:
    """A key pair as S3 clients read it."""
    return CREDENTIALS.format(pair=pair)
