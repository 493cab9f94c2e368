"""What MinIO has and other stores do not: users that are made over its interface, and notifications to NATS."""

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from countermark.servers.notifications import CREATED_NAMES
from countermark.servers.objects import DROP, UPLOADS
from minio import MinioAdmin
from minio.credentials.providers import StaticProvider
from minio.error import MinioAdminException, MinioException
from urllib3.exceptions import HTTPError

from infra.credentials import KeyPair
from infra.store.access import policy_of
from infra.store.settings import StoreSettings

ERRORS = (MinioException, MinioAdminException, HTTPError, ValueError)

WATCHED = {UPLOADS: "direct/", DROP: ""}
"""The buckets whose new objects are announced, with the prefix of their keys. Each has a target of its own, named as
the bucket in capitals in minio.env.j2, for a target publishes to one subject."""


def administrator(settings: StoreSettings) -> MinioAdmin:
    """A client of MinIO's own interface."""
    address = urlsplit(settings.s3_endpoint)
    keys = settings.s3_access_key.get_secret_value(), settings.s3_secret_key.get_secret_value()
    return MinioAdmin(endpoint=address.netloc, credentials=StaticProvider(*keys), secure=address.scheme == "https")


def make_users(admin: MinioAdmin, pairs: dict[str, KeyPair], say: Callable[[str], object]) -> None:
    """Make a user with a policy for each identity; those that are there get this secret and this policy."""
    for identity, pair in pairs.items():
        name = f"countermark-{identity}"
        admin.policy_add(name, policy=policy_of(identity))
        admin.user_add(pair.access_key, pair.secret_key)
        admin.policy_set(name, user=pair.access_key)
        say(f"user: {identity} with the policy {name}")


def set_notifications(client: Any, admin: MinioAdmin, say: Callable[[str], object]) -> None:
    """Let new objects be announced; only what means new bytes, for a change of tags is an ObjectCreated as well."""
    targets = {arn.split(":")[4]: arn for arn in json.loads(admin.info()).get("sqsARN") or []}
    for bucket, prefix in WATCHED.items():
        target = targets.get(bucket.upper())
        if target is None:
            file = "infra/servers/minio/minio.env.j2"
            say(f"notifications: none of {bucket}, as MinIO has no target {bucket.upper()} ({file})")
            continue
        queue: dict[str, Any] = {"QueueArn": target, "Events": [f"s3:{name}" for name in CREATED_NAMES]}
        if prefix:
            queue["Filter"] = {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}}
        client.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [queue]}
        )
        say(f"notifications: {bucket}/{prefix} to {target}")


def reason(error: Exception) -> str:
    """What went wrong, in a line; the errors of MinIO's own interface have its answer in them, as JSON."""
    text = str(error) or type(error).__name__
    message = re.search(r'"Message":"([^"]+)"', text)
    return message[1] if message else text.splitlines()[0]
