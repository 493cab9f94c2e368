"""The visible tree of a drop folder: written once, and mended by the comparison of the store with the rows."""

import io
import json
import uuid
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from countermark.servers.objects import DROP, RESULTS
from countermark.services import Services
from PIL import Image

from functions.reconcile.store import take_dropped
from tests.client import Caller, picture, unpack
from tests.platform_driver import Platform, wait_until
from tests.system.objects import Objects
from tests.system.rows import Rows
from tests.system.stream import Stream

SIDES = {"one part": 200, "parts": 2000, "copied in parts": 4200}
"""Of noise: below 8 MiB, above that, and above 64 MiB, where stores give copies different ETags."""
COMPARISONS = 3
SECONDS_TO_COMPARE = 60
LATER = 24 * 3600


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


def compare(rows: Rows, stream: Stream) -> None:
    """Let the sweep compare the store with the rows, and wait until it has come to an end."""
    before = rows.one("SELECT generation FROM sweeps")
    rows.compare()
    stream.sweep()
    wait_until(lambda: rows.one("SELECT generation FROM sweeps") > before, SECONDS_TO_COMPARE)


def tree(caller: Caller, folder: str) -> dict[str, Any]:
    """When each object of a folder's tree was written, and its ETag."""
    listed = caller.s3.list_objects_v2(Bucket=RESULTS, Prefix=f"drop/{folder}")["Contents"]
    return {item["Key"].removeprefix(f"drop/{folder}"): (item["LastModified"], item["ETag"]) for item in listed}


@pytest.mark.parametrize("kind", SIDES)
def test_a_tree_is_written_once(caller: Caller, rows: Rows, stream: Stream, folder: str, kind: str) -> None:
    caller.drop(f"{folder}/ночь+1.jpg", noise(SIDES[kind]))
    caller.result(f"{folder}.zip", 120)
    compare(rows, stream)  # the archive may still have been at it
    before = tree(caller, folder)
    assert set(before) == {"/ночь+1.jpg", ".zip"}
    for _ in range(COMPARISONS):
        compare(rows, stream)
        assert tree(caller, folder) == before


def test_a_tree_that_somebody_has_changed_is_mended(
    caller: Caller, rows: Rows, stream: Stream, objects: Objects, folder: str
) -> None:
    for name in ("a.jpg", "b.jpg"):
        caller.drop(f"{folder}/{name}", picture())
    names = set(unpack(caller.result(f"{folder}.zip")))
    marked = [caller.result(f"{folder}/{name}") for name in ("a.jpg", "b.jpg")]
    objects.store.delete(RESULTS, [f"drop/{folder}/a.jpg"])
    objects.store.write(RESULTS, f"drop/{folder}/b.jpg", b"another", "image/jpeg")
    objects.store.write(RESULTS, f"drop/{folder}.zip", b"another", "application/zip")
    objects.store.write(RESULTS, f"drop/{folder}/c.jpg", b"of nobody", "image/jpeg")
    compare(rows, stream)
    assert [caller.result(f"{folder}/{name}") for name in ("a.jpg", "b.jpg")] == marked
    assert set(unpack(caller.result(f"{folder}.zip"))) == names
    assert set(tree(caller, folder)) == {"/a.jpg", "/b.jpg", ".zip"}


def test_options_of_a_folder_that_stays_empty_are_deleted_by_whoever_may(
    platform: Platform, caller: Caller, services: Services, objects: Objects, folder: str
) -> None:
    key = f"{folder}/countermark.json"
    caller.drop(key, json.dumps({"format": "webp"}).encode())
    pair = platform.secret("reconcile/s3-access-key"), platform.secret("reconcile/s3-secret-key")
    own = replace(services, objects=Objects(objects.url, *pair).store)
    stored = objects.store.stat(DROP, key).time
    assert take_dropped(own, stored)["options deleted"] == 0
    assert take_dropped(own, stored + LATER)["options deleted"] >= 1
    assert objects.of(folder) == []
    own.objects.close()
