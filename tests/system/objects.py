"""The object store, as an administrator sees it."""

import time
from dataclasses import dataclass
from functools import cached_property

from countermark.servers.objects import DROP, RESULTS, UPLOADS, ObjectStore


@dataclass(frozen=True)
class Objects:
    """All buckets of a platform."""

    url: str
    access_key: str
    secret_key: str

    @cached_property
    def store(self) -> ObjectStore:
        """The store, with the functions' own keys."""
        return ObjectStore(self.url, access_key=self.access_key, secret_key=self.secret_key, region="us-east-1")

    def of(self, part: str) -> list[str]:
        """Bucket and key of every object whose key has this part."""
        return [
            f"{bucket}/{item.key}"
            for bucket in (UPLOADS, RESULTS, DROP)
            for item in self.store.list(bucket)
            if part in item.key
        ]

    def wait_until_none(self, part: str, seconds: float = 60) -> None:
        """Wait until there is no object whose key has this part."""
        end = time.monotonic() + seconds
        while left := self.of(part):
            assert time.monotonic() < end, left
            time.sleep(0.2)
