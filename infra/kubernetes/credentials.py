"""The secrets of a deployment: made once, kept in a folder that only its owner reads, and written as manifests."""

from pathlib import Path
from typing import Any

import yaml

from infra.credentials import FOR_PEOPLE, credentials_file, generate_secrets, key_pair, write_private
from infra.kubernetes.functions import deployed_stack
from infra.kubernetes.target import Target
from infra.servers.minio import configuration as minio
from infra.servers.nats import configuration as nats

MANIFEST = "secrets.yaml"
PEOPLE = "people"
"""Whose key pair is for the drop bucket."""
ACCESS_KEY_BYTES, SECRET_KEY_BYTES, PASSWORD_BYTES = 10, 20, 24
"""As hexadecimal digits: MinIO takes access keys of at most 20 signs and secret keys of at most 40."""


def make_secrets(target: Target, folder: Path) -> dict[str, str]:
    """Make the secrets that are not there yet, and write the manifests and the key pair of the drop bucket.

    Returns:
        each value by the name of its file.

    Raises:
        InvalidStack: the stack file can't be used.
    """
    names = list(deployed_stack(target).functions)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    values = generate_secrets(folder, _wanted(names))
    text = "".join(f"---\n{yaml.safe_dump(each, sort_keys=False)}" for each in manifests(target, names, values))
    write_private(folder / MANIFEST, text)
    write_private(folder / FOR_PEOPLE, credentials_file(key_pair(PEOPLE, values)))
    return values


def _wanted(functions: list[str]) -> dict[str, int]:
    wanted = {"postgres-password": PASSWORD_BYTES}
    wanted |= {f"{user}-nats-password": PASSWORD_BYTES for user in nats.USERS}
    for identity in ("root", PEOPLE, *functions):
        wanted |= {f"{identity}-access-key": ACCESS_KEY_BYTES, f"{identity}-secret-key": SECRET_KEY_BYTES}
    return wanted


def manifests(target: Target, functions: list[str], values: dict[str, str]) -> list[dict[str, Any]]:
    """Every Secret of a deployment."""
    root = {"s3-access-key": values["root-access-key"], "s3-secret-key": values["root-secret-key"]}
    pairs = {
        name: values[name] for each in (PEOPLE, *functions) for name in (f"{each}-access-key", f"{each}-secret-key")
    }
    owner = {"username": "countermark", "password": values["postgres-password"]}
    space = target.namespace
    made = [
        _secret("countermark-nats", space, {"users.conf": nats.users(values)}),
        _secret("countermark-postgres", space, owner, kind="kubernetes.io/basic-auth"),
        _secret("countermark-store", space, root | pairs),
        _secret("countermark-connector", space, {"nats-url": _nats_url(target, "connector", values)}),
    ]
    if not target.store:
        made.append(_secret("countermark-minio", space, {"config.env": _minio_environment(target, values)}))
    if target.platform == "openfaas":
        connection = {"connection": _keda_connection(target, values)}
        made.append(_secret("countermark-keda", target.functions_namespace, connection))
    return [*made, *(_of_function(target, name, values) for name in functions)]


def _keda_connection(target: Target, values: dict[str, str]) -> str:
    """Straight to the database: KEDA keeps one connection, and statements prepared on it."""
    password, host = values["postgres-password"], target.service("postgres-rw")
    return f"postgresql://countermark:{password}@{host}:5432/countermark?sslmode=require"


def _of_function(target: Target, name: str, values: dict[str, str]) -> dict[str, Any]:
    """The one secret of a function; each key becomes a file."""
    password, host = values["postgres-password"], target.service("postgres-pooler")
    files = {
        "nats-url": _nats_url(target, "functions", values),
        "database-url": f"postgresql://countermark:{password}@{host}:5432/countermark?sslmode=require",
        "s3-access-key": values[f"{name}-access-key"],
        "s3-secret-key": values[f"{name}-secret-key"],
    }
    return _secret(f"countermark-{name}", target.functions_namespace, files)


def _minio_environment(target: Target, values: dict[str, str]) -> str:
    return minio.environment(
        key_pair("root", values), nats_url=_nats_url(target, "minio", values), queue_folder="/queue"
    )


def _nats_url(target: Target, user: str, values: dict[str, str]) -> str:
    return nats.url(user, values, f"{target.service('nats')}:4222")


def _secret(name: str, namespace: str, data: dict[str, str], kind: str = "Opaque") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/part-of": "countermark"},
        },
        "type": kind,
        "stringData": data,
    }
