"""Who may do what in the object store: one table, from which each store's own configuration is made."""

from dataclasses import dataclass
from typing import Any

from countermark.servers.objects import DROP, RESULTS, UPLOADS

OBJECT_ACTIONS = {
    "read": ["s3:GetObject"],
    "write": ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
    "delete": ["s3:DeleteObject"],
}

ALL = "*"


@dataclass(frozen=True)
class Grant:
    """What may be done with some keys of a bucket."""

    may: str
    """Words of: read, write, delete, list. Who may list is also told that an object is missing, others may be told
    that it is forbidden; so whoever reads what may be gone may list."""
    bucket: str
    keys: str = ALL
    """A key, in which * stands for anything."""


ACCESS: dict[str, tuple[Grant, ...]] = {
    # Stores what is posted, signs the links for what is sent directly, and copies the originals of an older job.
    "upload": (
        Grant("write", UPLOADS, "posted/*"),
        Grant("write", UPLOADS, "direct/*"),
        Grant("read list", UPLOADS),
        Grant("read list", DROP),
    ),
    # Deletes what belongs to a job that was deleted while it worked.
    "watermark": (
        Grant("read list delete", UPLOADS),
        Grant("read list delete", DROP),
        Grant("read list write delete", RESULTS),
    ),
    "archive": (
        Grant("read list write", RESULTS),
        Grant("delete", RESULTS, "*.zip"),
    ),
    "expire": (
        Grant("delete", UPLOADS),
        Grant("delete", RESULTS),
        Grant("delete", DROP),
    ),
    # Signs the links by which people get originals, marked images and ZIPs.
    "status": (
        Grant("read", UPLOADS),
        Grant("read", RESULTS),
        Grant("read", DROP),
    ),
    "reconcile": (
        Grant("list", UPLOADS),
        Grant("list", DROP),
    ),
    # The key pair of people: S3 clients, sync tools, cameras.
    "drop": (
        Grant("read list write delete", DROP),
        Grant("read list", RESULTS, "drop/*"),
        Grant("read", RESULTS, "drop.zip"),
    ),
}


@dataclass(frozen=True, kw_only=True)
class KeyPair:
    """What an identity signs its requests with."""

    access_key: str
    secret_key: str


def policy_of(identity: str) -> dict[str, Any]:
    """The S3 policy of an identity, as AWS, MinIO and SeaweedFS read it."""
    statements = [statement for grant in ACCESS[identity] for statement in _statements(grant)]
    return {"Version": "2012-10-17", "Statement": statements}


def _statements(grant: Grant) -> list[dict[str, Any]]:
    words, bucket = grant.may.split(), f"arn:aws:s3:::{grant.bucket}"
    statements: list[dict[str, Any]] = []
    if actions := [action for word in words if word != "list" for action in OBJECT_ACTIONS[word]]:
        statements.append({"Effect": "Allow", "Action": actions, "Resource": [f"{bucket}/{grant.keys}"]})
    if "list" in words:
        only = {} if grant.keys == ALL else {"Condition": {"StringLike": {"s3:prefix": [grant.keys]}}}
        statements.append({"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [bucket], **only})
        statements.append({"Effect": "Allow", "Action": ["s3:GetBucketLocation"], "Resource": [bucket]})
    return statements
