"""What a function works with, made once a process: the composition root."""

from dataclasses import dataclass
from functools import lru_cache

from countermark.servers.database import Database
from countermark.servers.objects import ObjectStore
from countermark.servers.stream import Publisher
from countermark.settings import Settings, settings


@dataclass(frozen=True, kw_only=True, eq=False)
class Services:
    """The servers behind the functions. A handler asks for them once, and hands them on."""

    settings: Settings
    database: Database
    objects: ObjectStore
    publisher: Publisher


@lru_cache(maxsize=1)
def services() -> Services:
    """The services of this process; servers are connected to when they are first used."""
    own = settings()
    return Services(
        settings=own,
        database=Database(own.database_url.get_secret_value()),
        objects=ObjectStore(
            own.s3_endpoint,
            access_key=own.s3_access_key.get_secret_value(),
            secret_key=own.s3_secret_key.get_secret_value(),
            region=own.s3_region,
        ),
        publisher=Publisher(own.nats_url.get_secret_value()),
    )
