"""Each identity may do in the real store what it must, and nothing else."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.store.buckets import connect
from tests.platform_driver import Platform

TABLE = """
                                 upload drop watermark preview archive expire status reconcile people
read   uploads/posted/*          -      -    yes       yes     -       -      yes    -         -
read   uploads/direct/*          -      yes  yes       yes     -       -      yes    -         -
read   drop/folder/*             yes    yes  yes       yes     -       yes    yes    yes       yes
read   results/*                 -      -    yes       yes     yes     -      yes    yes       -
read   results/drop/*            -      -    yes       yes     yes     -      yes    yes       yes
write  uploads/posted/*          yes    -    -         -       -       -      -      -         -
write  uploads/direct/*          yes    -    -         -       -       -      -      -         -
write  uploads/*                 -      -    -         -       -       -      -      -         -
write  drop/folder/*             -      -    -         -       -       -      -      -         yes
write  results/*                 -      -    yes       -       yes     -      -      yes       -
write  results/drop/*            -      -    yes       -       yes     -      -      yes       -
delete uploads/posted/*          yes    -    -         -       -       yes    -      yes       -
delete uploads/direct/*          -      yes  -         -       -       yes    -      yes       -
delete drop/folder/*             -      -    -         -       -       yes    -      -         yes
delete drop/*/countermark.json   -      -    -         -       -       yes    -      yes       yes
delete drop/*countermark.json    -      -    -         -       -       yes    -      -         yes
delete results/*                 -      -    yes       -       yes     yes    -      yes       -
delete results/drop/*            -      -    yes       -       yes     yes    -      yes       -
list   uploads/                  yes    yes  yes       yes     -       -      -      yes       -
list   drop/                     yes    yes  yes       yes     yes     yes    -      yes       yes
list   results/                  -      -    yes       yes     yes     -      -      yes       -
list   results/drop/             -      -    yes       yes     yes     -      -      yes       yes
miss   uploads/posted/*          any    any  yes       yes     -       -      any    any       -
miss   uploads/direct/*          any    yes  yes       yes     -       -      any    any       -
miss   drop/folder/*             yes    yes  yes       yes     any     yes    any    yes       yes
miss   results/*                 -      -    yes       yes     yes     -      any    yes       -
"""
"""* stands for any name. miss: told that an object is missing, and not that it is forbidden; any: both will do."""

HEAD, *ROWS = (line.split() for line in TABLE.strip().splitlines())
CASES = [
    (identity, action, place, allowed)
    for action, place, *columns in ROWS
    for identity, allowed in zip(HEAD, columns, strict=True)
    if allowed != "any"
]


@pytest.fixture(scope="module")
def administrator(platform: Platform) -> Iterator[Any]:
    """Who may do everything."""
    client = connect(platform.store_url, platform.secret("s3-access-key"), platform.secret("s3-secret-key"))
    yield client
    client.close()


@pytest.fixture(scope="module")
def clients(platform: Platform) -> Iterator[dict[str, Any]]:
    """A client with the key pair of each identity."""
    made = {
        name: connect(platform.store_url, platform.secret(f"{name}-access-key"), platform.secret(f"{name}-secret-key"))
        for name in HEAD
    }
    yield made
    for client in made.values():
        client.close()


def write(client: Any, bucket: str, key: str) -> None:
    client.put_object(Bucket=bucket, Key=key, Body=b"x")
    upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"x")
    client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)


def delete(client: Any, bucket: str, key: str) -> None:
    answer = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}]})
    for error in answer.get("Errors", []):
        raise ClientError({"Error": error}, "DeleteObjects")


def miss(client: Any, bucket: str, key: str) -> None:
    with pytest.raises(client.exceptions.NoSuchKey):
        client.get_object(Bucket=bucket, Key=key)


ACTIONS: dict[str, Callable[[Any, str, str], Any]] = {
    "read": lambda client, bucket, key: client.get_object(Bucket=bucket, Key=key),
    "write": write,
    "delete": delete,
    "list": lambda client, bucket, key: client.list_objects_v2(Bucket=bucket, Prefix=key),
    "miss": miss,
}


@pytest.mark.parametrize(("identity", "action", "place", "allowed"), CASES)
def test_an_identity_may(
    clients: dict[str, Any], administrator: Any, identity: str, action: str, place: str, allowed: str
) -> None:
    bucket, _, pattern = place.partition("/")
    key = pattern.replace("*", uuid.uuid4().hex)
    if action in {"read", "delete"}:
        administrator.put_object(Bucket=bucket, Key=key, Body=b"x")
    try:
        if allowed == "yes":
            ACTIONS[action](clients[identity], bucket, key)
        elif action == "miss":
            with pytest.raises(ClientError):  # which of both it is told is the store's choice
                clients[identity].get_object(Bucket=bucket, Key=key)
        else:
            with pytest.raises(ClientError, match="AccessDenied"):
                ACTIONS[action](clients[identity], bucket, key)
    finally:
        if action != "list":
            administrator.delete_object(Bucket=bucket, Key=key)


COPIES = [
    (["upload"], "drop", "* ночь+1/a b.jpg", "uploads", "posted/*"),
    (["watermark", "archive", "reconcile"], "results", "*/1.1.lease", "results", "drop/* ночь+1/a b.jpg"),
]


@pytest.mark.parametrize(("may", "bucket", "source", "to_bucket", "target"), COPIES)
def test_an_object_is_copied_by_those_who_must(
    clients: dict[str, Any], administrator: Any, may: list[str], bucket: str, source: str, to_bucket: str, target: str
) -> None:
    source, target = (key.replace("*", uuid.uuid4().hex) for key in (source, target))
    administrator.put_object(Bucket=bucket, Key=source, Body=b"x")
    copied = {"Bucket": to_bucket, "Key": target, "CopySource": {"Bucket": bucket, "Key": source}}
    for identity in HEAD:
        if identity in may:
            clients[identity].copy_object(**copied)
        else:
            with pytest.raises(ClientError, match="AccessDenied"):
                clients[identity].copy_object(**copied)
    administrator.delete_object(Bucket=bucket, Key=source)
    administrator.delete_object(Bucket=to_bucket, Key=target)


def test_no_identity_changes_a_bucket(clients: dict[str, Any]) -> None:
    for client in clients.values():
        for denied in (
            lambda client: client.create_bucket(Bucket="another"),
            lambda client: client.delete_bucket(Bucket="results"),
            lambda client: client.put_bucket_policy(Bucket="results", Policy="{}"),
            lambda client: client.delete_bucket_lifecycle(Bucket="results"),
        ):
            with pytest.raises(ClientError, match="AccessDenied"):
                denied(client)
