"""Secrets: made at the first start, kept in files that only their owner reads, never printed."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

GENERATED = {
    "nats-password": 24,
    "postgres-password": 24,
    "s3-access-key": 15,
    "s3-secret-key": 30,
    "drop-access-key": 15,
    "drop-secret-key": 30,
    "webhook-token": 24,
}
"""Name and bytes of randomness of each secret that is made here."""


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
