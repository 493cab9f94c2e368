"""Knative adds copies of watermark as calls come, holds what they can't take yet, and takes all of them away again."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event

import httpx
import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.functions import NAMESPACE, Manifests, copies, ready_copies, with_scale
from tests.cluster.ingress import Ingress

PHOTOGRAPH = Path(__file__).parents[1] / "photographs" / "dogs.jpg"
MOST = 4
"""Copies."""
SECONDS = 120
"""For one call: it may wait for the start of the first copy."""


class Watermark:
    """The function as a caller sees it."""

    def __init__(self, ingress: Ingress) -> None:
        host = f"watermark.{NAMESPACE}.svc.cluster.local"
        self._client = httpx.Client(base_url=ingress.url, headers={"Host": host}, timeout=SECONDS)
        self._body = PHOTOGRAPH.read_bytes()

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def mark(self) -> httpx.Response:
        """One image in, one image out.

        An answer that is cut off is asked for again, once: Knative's activator cuts a few of thousands ("use of closed
        network connection", knative/serving#12387).
        """
        try:
            return self._post()
        except httpx.RemoteProtocolError:
            return self._post()

    def _post(self) -> httpx.Response:
        return self._client.post("/", params={"text": "© 2026"}, content=self._body)

    @contextmanager
    def callers(self, number: int) -> Iterator[list[int]]:
        """As many that call again as soon as they have their answer; gives the statuses, which grow."""
        statuses: list[int] = []
        stop = Event()

        def call() -> None:
            while not stop.is_set():
                statuses.append(self.mark().status_code)

        with ThreadPoolExecutor(number) as pool:
            calls = [pool.submit(call) for _ in range(number)]
            try:
                yield statuses
            finally:
                stop.set()
        for each in calls:
            each.result()


@pytest.fixture(scope="module")
def watermark(cluster: Cluster, serving: Ingress, manifests: Manifests) -> Iterator[Watermark]:
    """The real Service, that goes to zero soon and has few copies for this machine is small."""
    service = with_scale(
        manifests.function("watermark"), min_scale="0", max_scale=str(MOST), window="10s", scale_down_delay="0s"
    )
    cluster.kube.apply(service)
    cluster.kube.wait("condition=Ready", f"--namespace={NAMESPACE}", "ksvc/watermark", seconds=SECONDS)
    with closing(Watermark(serving)) as watermark:
        yield watermark
    cluster.kube.run("delete", f"--namespace={NAMESPACE}", "ksvc/watermark")


def test_a_call_waits_for_the_first_copy_and_is_answered(
    cluster: Cluster, watermark: Watermark, record_property: Callable[[str, object], None]
) -> None:
    cluster.kube.until(lambda: not copies(cluster.kube, "watermark"), SECONDS)
    started = time.monotonic()
    answer = watermark.mark()
    record_property("cold start, seconds", round(time.monotonic() - started, 2))
    assert answer.status_code == httpx.codes.OK
    assert answer.headers["content-type"] == "image/jpeg"


def test_many_callers_bring_copies_and_all_are_answered(cluster: Cluster, watermark: Watermark) -> None:
    with watermark.callers(4 * MOST) as statuses:
        cluster.kube.until(lambda: ready_copies(cluster.kube, "watermark") == MOST, SECONDS)
    assert set(statuses) == {httpx.codes.OK}


def test_a_copy_that_is_deleted_finishes_what_it_has(cluster: Cluster, watermark: Watermark) -> None:
    with watermark.callers(4 * MOST) as statuses:
        cluster.kube.until(lambda: ready_copies(cluster.kube, "watermark") > 1, SECONDS)
        name = copies(cluster.kube, "watermark")[0]["metadata"]["name"]
        cluster.kube.run("delete", f"--namespace={NAMESPACE}", f"pod/{name}")
    assert set(statuses) == {httpx.codes.OK}


def test_without_calls_no_copy_is_left(cluster: Cluster, watermark: Watermark) -> None:
    assert watermark.mark().status_code == httpx.codes.OK
    cluster.kube.until(lambda: not copies(cluster.kube, "watermark"), SECONDS)
