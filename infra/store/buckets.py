"""The buckets: created, open to browsers that hold a presigned link, and rid of uploads that were never completed."""

import time
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from countermark.servers.objects import DROP, RESULTS, UPLOADS

BUCKETS = (UPLOADS, RESULTS, DROP)

CORS = {
    "CORSRules": [
        {
            "AllowedMethods": ["GET", "HEAD", "PUT"],
            "AllowedOrigins": ["*"],  # a presigned link is the permission, wherever the page comes from
            "AllowedHeaders": ["*"],
            "ExposeHeaders": ["ETag"],
            "MaxAgeSeconds": 3600,
        }
    ]
}

LIFECYCLE = {
    "Rules": [
        {
            "ID": "incomplete-uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        }
    ]
}
"""Whatever else nobody needs any more the functions delete: they know what a job still has."""

SECONDS_TO_JOIN = 30
PROBE = "probe"

NOT_SUPPORTED = {"NotImplemented", "MethodNotAllowed"}
NO_SUCH_RULE = NOT_SUPPORTED | {"InvalidArgument", "MalformedXML"}


def connect(endpoint: str, access_key: str, secret_key: str, region: str = "us-east-1") -> Any:
    """A client that asks once and says at once what is wrong."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name=region,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            connect_timeout=2,
            read_timeout=10,
            retries={"total_max_attempts": 1},
        ),
    )


def set_up_buckets(client: Any) -> None:
    """Create the buckets and set their rules; doing it again changes nothing.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: the store is not there, or refuses.
    """
    there = {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}
    for bucket in BUCKETS:
        if bucket not in there:
            client.create_bucket(Bucket=bucket)
        _end_unfinished_uploads_in_time(client, bucket)
        _allow_browsers(client, bucket)


def _end_unfinished_uploads_in_time(client: Any, bucket: str) -> None:
    try:
        client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=LIFECYCLE)
    except ClientError as error:  # MinIO has no such rule, and does it by itself after a day
        if error.response["Error"]["Code"] not in NO_SUCH_RULE:
            raise
        client.delete_bucket_lifecycle(Bucket=bucket)  # of an earlier version, which deleted objects


def wait_until_it_stores(client: Any) -> None:
    """Return when an object can be stored and read: a store may list its buckets before its disks have joined it.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: it can't after some time.
    """
    deadline = time.monotonic() + SECONDS_TO_JOIN
    while True:
        try:
            client.put_object(Bucket=RESULTS, Key=PROBE, Body=b"probe")
            client.get_object(Bucket=RESULTS, Key=PROBE)["Body"].read()
        except (BotoCoreError, ClientError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            client.delete_object(Bucket=RESULTS, Key=PROBE)
            return


def _allow_browsers(client: Any, bucket: str) -> None:
    try:
        client.put_bucket_cors(Bucket=bucket, CORSConfiguration=CORS)
    except ClientError as error:  # MinIO has one rule for all buckets, which allows every origin
        if error.response["Error"]["Code"] not in NOT_SUPPORTED:
            raise
