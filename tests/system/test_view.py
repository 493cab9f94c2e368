"""The visible tree of a drop folder: written once, and mended by the comparison of the store with the rows."""

import io
import json
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from countermark.servers.database import Database
from countermark.servers.objects import DROP, RESULTS, ObjectStore
from countermark.servers.stream import Publisher
from countermark.services import Services
from countermark.settings import Settings
from PIL import Image

from functions.reconcile.store import take_dropped
from tests.client import Caller, picture, unpack
from tests.platform_driver import Platform, wait_until

SIDES = {"one part": 200, "parts": 2000, "copied in parts": 4200}
"""Of noise: below 8 MiB, above that, and above 64 MiB, where stores give copies different ETags."""
COMPARISONS = 3
SECONDS_TO_COMPARE = 60
LATER = 24 * 3600


@pytest.fixture(scope="module")
def database(platform: Platform) -> Iterator[Database]:
    """The platform's database."""
    database = Database(platform.secret("database-url"))
    yield database
    database.close()


@pytest.fixture(scope="module")
def store(platform: Platform) -> Iterator[ObjectStore]:
    """The platform's object store, as its administrator sees it."""
    keys = platform.secret("s3-access-key"), platform.secret("s3-secret-key")
    store = ObjectStore(platform.store_url, access_key=keys[0], secret_key=keys[1], region="us-east-1")
    yield store
    store.close()


@pytest.fixture
def folder() -> str:
    """A folder of the drop bucket whose name needs to be escaped."""
    return f"выставка 1+1 {uuid.uuid4().hex[:8]}"


def noise(side: int) -> bytes:
    """What no codec makes smaller."""
    out = io.BytesIO()
    pixels = np.random.default_rng(side).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(pixels).save(out, "JPEG", quality=100, subsampling=0)
    return out.getvalue()


def compare(database: Database) -> None:
    """Let the sweep compare the store with the rows, and wait until it has come to an end."""
    before = database.call("UPDATE sweeps SET listed_at = '-infinity' RETURNING generation")
    wait_until(lambda: database.call("SELECT generation FROM sweeps") > before, SECONDS_TO_COMPARE)


def tree(caller: Caller, folder: str) -> dict[str, Any]:
    """When each object of a folder's tree was written, and its ETag."""
    listed = caller.s3.list_objects_v2(Bucket=RESULTS, Prefix=f"drop/{folder}")["Contents"]
    return {item["Key"].removeprefix(f"drop/{folder}"): (item["LastModified"], item["ETag"]) for item in listed}


@pytest.mark.parametrize("kind", SIDES)
def test_a_tree_is_written_once(caller: Caller, database: Database, folder: str, kind: str) -> None:
    caller.drop(f"{folder}/ночь+1.jpg", noise(SIDES[kind]))
    caller.result(f"{folder}.zip", 120)
    compare(database)  # the archive may still have been at it
    before = tree(caller, folder)
    assert set(before) == {"/ночь+1.jpg", ".zip"}
    for _ in range(COMPARISONS):
        compare(database)
        assert tree(caller, folder) == before


def test_a_tree_that_somebody_has_changed_is_mended(
    caller: Caller, database: Database, store: ObjectStore, folder: str
) -> None:
    for name in ("a.jpg", "b.jpg"):
        caller.drop(f"{folder}/{name}", picture())
    names = set(unpack(caller.result(f"{folder}.zip")))
    marked = [caller.result(f"{folder}/{name}") for name in ("a.jpg", "b.jpg")]
    store.delete(RESULTS, [f"drop/{folder}/a.jpg"])
    store.write(RESULTS, f"drop/{folder}/b.jpg", b"another", "image/jpeg")
    store.write(RESULTS, f"drop/{folder}.zip", b"another", "application/zip")
    store.write(RESULTS, f"drop/{folder}/c.jpg", b"of nobody", "image/jpeg")
    compare(database)
    assert [caller.result(f"{folder}/{name}") for name in ("a.jpg", "b.jpg")] == marked
    assert set(unpack(caller.result(f"{folder}.zip"))) == names
    assert set(tree(caller, folder)) == {"/a.jpg", "/b.jpg", ".zip"}


def test_options_of_a_folder_that_stays_empty_are_deleted_by_whoever_may(
    platform: Platform, caller: Caller, store: ObjectStore, folder: str
) -> None:
    key = f"{folder}/countermark.json"
    caller.drop(key, json.dumps({"format": "webp"}).encode())
    secrets = {
        name.replace("-", "_"): platform.secret(f"reconcile/{name}")
        for name in ("nats-url", "database-url", "s3-access-key", "s3-secret-key")
    }
    settings = Settings(s3_endpoint=platform.store_url, **secrets)
    own = Services(
        settings=settings,
        database=Database(secrets["database_url"]),
        objects=ObjectStore(
            platform.store_url,
            access_key=secrets["s3_access_key"],
            secret_key=secrets["s3_secret_key"],
            region="us-east-1",
        ),
        publisher=Publisher(secrets["nats_url"]),
    )
    stored = store.stat(DROP, key).time
    assert take_dropped(own, stored)["options deleted"] == 0
    assert take_dropped(own, stored + LATER)["options deleted"] >= 1
    assert list(store.list(DROP, key)) == []
    own.objects.close()
    own.database.close()
