"""Who may do what in the object store: one table, from which each store's own configuration is made."""

from dataclasses import dataclass
from typing import Any

from countermark.jobs.keys import OPTIONS_NAME
from countermark.servers.buckets import DROP, RESULTS, UPLOADS

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
    """Words of: read, write, delete, list. Without list, a missing object looks forbidden; so whoever reads what may
    be gone may list."""
    bucket: str
    keys: str = ALL
    """A key, in which * stands for anything."""


ACCESS: dict[str, tuple[Grant, ...]] = {
    # Stores what is posted, deletes it when its job is gone meanwhile, signs the links for what is sent directly, and
    # copies what lies in the drop bucket for a job that begins again.
    "upload": (
        Grant("write delete", UPLOADS, "posted/*"),
        Grant("write", UPLOADS, "direct/*"),
        Grant("list", UPLOADS),
        Grant("read list", DROP),
    ),
    # Looks at what has arrived, and deletes what came late.
    "drop": (
        Grant("read list", DROP),
        Grant("read delete", UPLOADS, "direct/*"),
        Grant("list", UPLOADS),
    ),
    # Publishes in the visible tree, and deletes what it has written in vain.
    "watermark": (
        Grant("read list", UPLOADS),
        Grant("read list", DROP),
        Grant("read list write delete", RESULTS),
    ),
    "preview": (
        Grant("read list", UPLOADS),
        Grant("read list", DROP),
        Grant("read list", RESULTS),
    ),
    "archive": (
        Grant("read list write delete", RESULTS),
        Grant("list", DROP),
    ),
    # In the drop bucket it looks first whether an object is the one that was marked.
    "expire": (
        Grant("delete", UPLOADS),
        Grant("delete", RESULTS),
        Grant("read list delete", DROP),
    ),
    # Signs the links by which people get originals, marked images and ZIPs.
    "status": (
        Grant("read", UPLOADS),
        Grant("read", RESULTS),
        Grant("read", DROP),
    ),
    # Finds what no message has told of, brings the visible tree up to date, and deletes what nobody knows: of people's
    # own only the options of a folder that is empty.
    "reconcile": (
        Grant("list delete", UPLOADS),
        Grant("read list write delete", RESULTS),
        Grant("read list", DROP),
        Grant("delete", DROP, OPTIONS_NAME),
        Grant("delete", DROP, f"*/{OPTIONS_NAME}"),
    ),
    # S3 clients, sync tools, cameras.
    "people": (
        Grant("read list write delete", DROP),
        Grant("read list", RESULTS, "drop/*"),
        Grant("read", RESULTS, "drop.zip"),
    ),
}


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
