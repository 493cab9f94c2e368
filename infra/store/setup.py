"""The steps that set a store up; each may be done again, and tells in a line what it did."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.credentials import KeyPair
from infra.store.buckets import BUCKETS, connect, set_up_buckets, wait_until_it_stores
from infra.store.settings import StoreSettings

Say = Callable[[str], object]

SECONDS_TO_START = 60
SECONDS_TO_KNOW_KEYS = 10
"""A store that is starting may refuse at first whoever it will know."""
UNKNOWN = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidClientTokenId"}


class SetUpError(Exception):
    """The store can't be set up; the message says why, in a line."""


def set_up(settings: StoreSettings, pairs: dict[str, KeyPair], say: Say) -> None:
    """Make all that the platform needs in a store: buckets, identities and notifications.

    Args:
        pairs: the key pairs that the identities are to have, or have.

    Raises:
        SetUpError: the store is not there, refuses, or does not know a key pair.
    """
    client = set_up_what_every_store_has(settings, say)
    with _told(settings):
        server = client.list_buckets()["ResponseMetadata"]["HTTPHeaders"].get("server", "")
    if server.startswith("MinIO"):
        _set_up_minio(settings, client, pairs, say)
    else:
        say("notifications: this store is not told to send any here; the reconciliation finds what lands")
    _require_known(settings, pairs, say)


def set_up_what_every_store_has(settings: StoreSettings, say: Say) -> Any:
    """Make the buckets with their rules; returns the administrator's client.

    Raises:
        SetUpError: the store is not there, or refuses.
    """
    client = connect(
        settings.s3_endpoint,
        settings.s3_access_key.get_secret_value(),
        settings.s3_secret_key.get_secret_value(),
        settings.s3_region,
    )
    with _told(settings):
        _wait_until_it_answers(client, settings.s3_endpoint, say)
        set_up_buckets(client)
        wait_until_it_stores(client)
    say(f"buckets: {', '.join(BUCKETS)}; uploads that are not completed within a day are dropped")
    return client


@contextmanager
def _told(settings: StoreSettings) -> Iterator[None]:
    """What the store answers is told with its address."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise SetUpError(f"{settings.s3_endpoint}: {error}") from error


def _set_up_minio(settings: StoreSettings, client: Any, pairs: dict[str, KeyPair], say: Say) -> None:
    from infra.store import minio  # its packages take half a second, which no other store needs

    try:
        admin = minio.administrator(settings)
        minio.make_users(admin, pairs, say)
        minio.set_notifications(client, admin, say)
    except (*minio.ERRORS, BotoCoreError, ClientError) as error:
        raise SetUpError(f"{settings.s3_endpoint}: {minio.reason(error)}") from error


def _wait_until_it_answers(client: Any, endpoint: str, say: Say) -> None:
    started, told = time.monotonic(), False
    while True:
        try:
            client.list_buckets()
        except (BotoCoreError, ClientError) as error:
            refused = isinstance(error, ClientError) and error.response["ResponseMetadata"]["HTTPStatusCode"] < 500
            if time.monotonic() - started > (SECONDS_TO_KNOW_KEYS if refused else SECONDS_TO_START):
                raise
            if not told:
                say(f"waiting for {endpoint}")
                told = True
            time.sleep(0.2)
        else:
            return


def _require_known(settings: StoreSettings, pairs: dict[str, KeyPair], say: Say) -> None:
    """Make sure that the store knows the key pairs, whoever gave them to it."""
    unknown = [identity for identity, pair in pairs.items() if not _knows(settings, pair)]
    if unknown:
        raise SetUpError(
            f"{settings.s3_endpoint} does not know the key pairs of {', '.join(unknown)}: make them there"
            " (python -m infra.store --policy NAME prints what each may do)"
        )
    say(f"identities: {', '.join(pairs) or 'none given, every function has the key pair of the administrator'}")


def _knows(settings: StoreSettings, pair: KeyPair) -> bool:
    client = connect(settings.s3_endpoint, pair.access_key, pair.secret_key, settings.s3_region)
    with _told(settings), closing(client):
        try:
            client.list_buckets()
        except ClientError as error:
            return error.response["Error"]["Code"] not in UNKNOWN
    return True
