"""A function answers alike behind what each platform puts before it, and loses nothing when it is told to leave."""

import io
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from cloudevents.core.bindings.http import HTTPMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from PIL import Image

from tests.images.fronts import FRONTS, INFLIGHT, SECONDS, Front
from tests.platform_driver import wait_until

PHOTOGRAPH = Path(__file__).parents[1] / "photographs" / "dogs.jpg"
HANDLER = """
import json
import time
from pathlib import Path

from countermark.http.calls import DONE, message_data, message_kind
from countermark.http.edit import edit_body

HERE = Path(__file__).parent


def handle(event, context):
    if kind := message_kind(event):
        data = message_data(event)
        (HERE / "message").write_text(json.dumps([kind, event.headers["ce-id"], data]))
        return DONE
    if seconds := event.query.get("sleep"):
        (HERE / "began").touch()
        time.sleep(float(seconds))
        return {"statusCode": 200, "body": b"finished"}
    return edit_body(event, task="watermark")
"""


@pytest.fixture(params=FRONTS, scope="module")
def name(request: pytest.FixtureRequest) -> str:
    """Each front in turn."""
    return str(request.param)


@pytest.fixture(scope="module")
def folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the handler is; the same for every test behind one front."""
    folder = tmp_path_factory.mktemp(name)
    (folder / "handler.py").write_text(HANDLER)
    return folder


@pytest.fixture(scope="module")
def front(name: str, folder: Path) -> Iterator[Front]:
    """The function behind a front; the last test of each ends it."""
    with FRONTS[name](folder) as running:
        yield running


def event(data: dict[str, object]) -> CloudEvent:
    """A message as Knative's broker sends it."""
    attributes = {"id": "COUNTERMARK/7", "source": "urn:countermark:stream", "type": "jobs.complete"}
    return CloudEvent(attributes, data)


def post(front: Front, message: HTTPMessage) -> httpx.Response:
    """Deliver a message."""
    return httpx.post(front.url, content=message.body, headers=message.headers)


def test_a_copy_that_is_called_ready_answers_at_once(name: str, tmp_path: Path) -> None:
    """Though it takes long to begin."""
    if name != "of-watchdog":
        pytest.skip("the kubelet asks the function itself")
    (tmp_path / "handler.py").write_text(f"import time\ntime.sleep(1)\n{HANDLER}")
    with FRONTS[name](tmp_path) as front:
        assert httpx.get(f"{front.url}/?sleep=0.01").status_code == 200


def test_an_image_is_marked(front: Front) -> None:
    def mark() -> httpx.Response:
        return httpx.post(f"{front.url}/?text=tried", content=PHOTOGRAPH.read_bytes(), timeout=30)

    # The first image starts what decodes images: on a busy machine that takes longer than a call may here.
    wait_until(lambda: mark().status_code == 200)
    answer = mark()
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")
    with Image.open(io.BytesIO(answer.content)) as marked, Image.open(PHOTOGRAPH) as original:
        assert marked.size == original.size
        assert marked.tobytes() != original.tobytes()


@pytest.mark.parametrize("mode", [to_binary_event, to_structured_event], ids=["binary", "structured"])
def test_a_message_is_taken_in_both_modes_and_answered_with_nothing(
    front: Front, folder: Path, mode: Callable[[CloudEvent], HTTPMessage]
) -> None:
    (folder / "message").unlink(missing_ok=True)
    data = {"version": 1, "job": "ночь"}
    answer = post(front, mode(event(data)))
    assert (answer.status_code, answer.content) == (204, b"")
    assert json.loads((folder / "message").read_text()) == ["jobs.complete", "COUNTERMARK/7", data]


@pytest.mark.parametrize(
    ("media_type", "body", "status"),
    [
        ("application/cloudevents+json", b"", 400),
        ("application/cloudevents+json", b"[]", 400),
        ("application/cloudevents+json; charset=utf-8", b'{"specversion": "1.0", "type": "jobs.complete"}', 400),
        ("application/cloudevents+json", json.dumps({"data": {}, "id": 1, "type": [], "source": "a"}).encode(), 400),
        ("application/cloudevents-batch+json", b"[]", 415),
        ("application/cloudevents+avro", b"", 415),
    ],
)
def test_what_is_no_message_is_refused(front: Front, folder: Path, media_type: str, body: bytes, status: int) -> None:
    (folder / "message").unlink(missing_ok=True)
    answer = httpx.post(front.url, content=body, headers={"Content-Type": media_type})
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert not (folder / "message").exists()


def test_more_calls_than_it_works_on_wait_or_are_told_to_come_again(front: Front) -> None:
    calls = INFLIGHT + 2
    started = time.monotonic()
    with ThreadPoolExecutor(calls) as pool:
        seen = [answer.status_code for answer in pool.map(httpx.get, [f"{front.url}/?sleep=0.8"] * calls)]
    if front.name == "of-watchdog":
        assert sorted(seen) == [200] * INFLIGHT + [429] * (calls - INFLIGHT)
    else:
        assert seen == [200] * calls
        assert time.monotonic() - started > 1.6, "they must not all be worked on at once"


def test_a_call_that_takes_too_long_is_given_up(front: Front) -> None:
    if front.name == "bare":
        pytest.skip("nothing stands before it that would")
    assert httpx.get(f"{front.url}/?sleep={SECONDS + 1}", timeout=30).status_code == 504
    time.sleep(1.2)  # it works on: the next test must not wait for that


def test_nothing_is_lost_when_it_is_told_to_leave(front: Front, folder: Path) -> None:
    (folder / "began").unlink(missing_ok=True)
    with ThreadPoolExecutor(2) as pool:
        answer = pool.submit(httpx.get, f"{front.url}/?sleep={SECONDS - 1}", timeout=30)
        wait_until((folder / "began").exists)
        left = pool.submit(front.leave)
        time.sleep(0.5)
        if front.name != "bare":  # what comes before every router knows is answered as well
            assert httpx.post(f"{front.url}/?text=late", content=PHOTOGRAPH.read_bytes()).status_code == 200
        assert answer.result().text == "finished"
        left.result()
