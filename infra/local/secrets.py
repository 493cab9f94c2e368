"""Secrets: made at the first start, kept in files that only their owner reads, never printed."""

import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from infra.store.access import ACCESS, KeyPair

NATS_USERS = ("connector", "functions", "minio")

GENERATED = {
    **{f"{user}-nats-password": 24 for user in NATS_USERS},
    "postgres-password": 24,
    "s3-access-key": 15,
    "s3-secret-key": 30,
    **{f"{identity}-access-key": 15 for identity in ACCESS},
    **{f"{identity}-secret-key": 30 for identity in ACCESS},
    "webhook-token": 24,
}
"""Name and bytes of randomness of each secret that is made here."""

CREDENTIALS = """[default]
aws_access_key_id = {pair.access_key}
aws_secret_access_key = {pair.secret_key}
region = us-east-1
"""
"""What AWS_SHARED_CREDENTIALS_FILE names, for the S3 clients of people."""


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)


def generate_secrets(folder: Path, wanted: Mapping[str, int] = GENERATED) -> dict[str, str]:
    """The secrets of a folder by name; those that are not there yet are made.

    Args:
        wanted: name and bytes of randomness of each.
    """
    values = {}
    for name, size in wanted.items():
        path = folder / name
        if not path.is_file():
            # Letters and digits only: the values stand in URLs and in the files of four servers.
            write_private(path, secrets.token_hex(size))
        values[name] = path.read_text(encoding="utf-8")
    return values


def give_secrets(folder: Path, process: str, values: dict[str, str]) -> Path:
    """A folder with what one process may know, and nothing else; what an earlier start gave it is gone."""
    own = folder / process
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(mode=0o700)
    for name, value in values.items():
        write_private(own / name, value)
    return own


def write_drop_credentials(folder: Path, pair: KeyPair) -> None:
    """The key pair of people, as their S3 clients read it."""
    write_private(folder / "drop-credentials", CREDENTIALS.format(pair=pair))
