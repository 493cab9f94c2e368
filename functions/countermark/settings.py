"""What can be set, with its default and its unit.

A setting comes from the environment (``MAX_FILES=100``) or from a file of that name in the secrets folder
(``/var/openfaas/secrets/database-url``, or another folder named by ``SECRETS_DIR``); the environment wins. The file may
also be in a folder there: ``faas-cli generate`` mounts each secret in one of its own.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from pydantic import AliasChoices, AliasGenerator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 1024 * 1024

Kind = TypeVar("Kind", bound="SecretSettings")


class InvalidSettings(Exception):
    """A setting is missing or wrong; the message names each of them."""


class SecretSettings(BaseSettings):
    """Settings that may come from the environment or from secret files."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        # OpenFaaS and Kubernetes allow no underscore in a secret's name.
        alias_generator=AliasGenerator(validation_alias=lambda name: AliasChoices(name, name.replace("_", "-"))),
    )


class LimitSettings(SecretSettings):
    """What one image and one job may have."""

    max_files: int = Field(10_000, ge=1)
    """Images in one job."""
    max_file_bytes: int = Field(100 * MIB, ge=1)
    max_job_bytes: int = Field(10 * 1024 * MIB, ge=1)
    max_pixels: int = Field(100_000_000, ge=1)
    """Width times height times frames of one image."""
    max_seconds: int = Field(60, ge=1)
    """Seconds of a processor that one image may take."""


class Settings(LimitSettings):
    """The settings of the functions that work with the servers."""

    nats_url: SecretStr
    """Where the stream is, with its user and password: nats://user:password@host:4222

    The servers of a cluster have commas in between."""
    database_url: SecretStr
    """PostgreSQL: postgresql://user:password@host:5432/database"""
    s3_endpoint: str
    """The object store's address as the functions reach it."""
    s3_access_key: SecretStr
    s3_secret_key: SecretStr
    s3_region: str = "us-east-1"
    public_url: str = ""
    """The address under which people reach the platform; empty: the one that the request came by."""

    upload_seconds: int = Field(3600, ge=1)
    """Time from the last byte that arrived until images that have not arrived are given up."""
    job_lifetime: int = Field(3600, ge=1)
    """Seconds from the moment when a job is ready until all of its files are deleted."""
    drop_quiet: int = Field(10, ge=1)
    """Seconds without a new object after which a folder of the drop bucket is archived."""
    drop_hours: int = Field(24, ge=1)
    """Hours for which the job of a drop folder takes files; later ones wait for the folder's next job."""
    line_share: int = Field(8, ge=1)
    """Images of one owner that may be in line at a time; his others wait outside, and nobody behind them."""
    lease_seconds: int = Field(15, ge=3)
    """Time after which work is taken from a function that does not renew its lease."""
    image_attempts: int = Field(6, ge=1)
    """Failed attempts at one image after which it is given up."""
    archive_attempts: int = Field(5, ge=1)
    """Failed attempts at one ZIP after which its job fails."""


def load_settings(kind: type[Kind], **known: str) -> Kind:
    """Read settings of a kind for this process.

    Args:
        known: settings that go before those of the environment.

    Raises:
        InvalidSettings: a setting is missing or wrong; all of them are named in one line.
    """
    folder = Path(os.environ.get("SECRETS_DIR", "/var/openfaas/secrets"))
    secrets = folder if folder.is_dir() else None
    try:
        return kind(_secrets_dir=_secret_folders(folder) if secrets else None, **known)  # type: ignore[call-arg]
    except ValidationError as error:
        wrong = "; ".join(f"{str(item['loc'][0]).upper()}: {_said(item['msg'])}" for item in error.errors())
        places = f"environment or {secrets}" if secrets else "environment"
        raise InvalidSettings(f"settings ({places}): {wrong}") from None


def _secret_folders(folder: Path) -> list[Path]:
    """The secrets folder if there are files in it, else those in it; Kubernetes' own (``..data``) say the same again.

    Folders beside files may be somebody else's, as on one machine, where each function has one.
    """
    found = sorted(each for each in folder.iterdir() if not each.name.startswith("."))
    return [folder] if any(each.is_file() for each in found) else [each for each in found if each.is_dir()] or [folder]


def _said(message: str) -> str:
    """What pydantic says of a value, in our words."""
    return message.partition(", unable to ")[0].replace("Input should", "must").lower()


@lru_cache(maxsize=1)
def limit_settings() -> LimitSettings:
    """The limits of this process, read once; no server needs to be known for them."""
    return load_settings(LimitSettings)


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once."""
    return load_settings(Settings)
