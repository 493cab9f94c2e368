"""Messages are published in batches, and who publishes knows what the stream has."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from countermark.http.problems import Unavailable
from countermark.servers.stream import AT_ONCE, Publisher

from infra.connector.streams import COUNTERMARK
from tests.connector.flow import Flow
from tests.own_nats import Nats
from tests.platform_driver import wait_until


@pytest.fixture
def stored(own_flow: Flow) -> Flow:
    """The streams without a connector, so that what is published stays."""
    own_flow.start_connector().leave()
    return own_flow


def batch(count: int) -> list[tuple[str, dict[str, object]]]:
    return [(f"images.waiting.j.{number}.0", {"number": number}) for number in range(count)]


def test_a_batch_is_stored_at_once(stored: Flow) -> None:
    count = 4 * AT_ONCE
    assert stored.publisher.publish_all(batch(count)) == [True] * count
    assert len(stored.stream.subjects(COUNTERMARK)) == count


def test_what_is_still_there_counts_and_is_not_stored_again(stored: Flow) -> None:
    stored.publisher.publish_all(batch(3))
    assert stored.publisher.publish_all(batch(5)) == [True] * 5
    assert set(stored.stream.subjects(COUNTERMARK).values()) == {1}
    assert len(stored.stream.subjects(COUNTERMARK)) == 5


def test_nothing_to_publish_asks_nobody() -> None:
    assert Publisher("nats://127.0.0.1:1").publish_all([]) == []


def test_one_that_no_stream_takes_holds_up_no_other(stored: Flow) -> None:
    messages = [
        ("nobody.listens", {}),
        *batch(2),
        ("a subject with spaces", {}),
        ("jobs.complete.j", {"x": "x" * 2**21}),
    ]
    assert stored.publisher.publish_all(messages) == [False, True, True, False, False]
    with pytest.raises(Unavailable):
        stored.publisher.publish("nobody.listens", {})


def test_many_threads_publish_through_one_connection(stored: Flow) -> None:
    publisher = Publisher(stored.nats.url)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda item: publisher.publish(*item), batch(100)))
    publisher.close()
    assert len(stored.stream.subjects(COUNTERMARK)) == 100


def test_a_stream_that_is_away_is_unavailable_in_time_and_comes_back(
    stored: Flow, capsys: pytest.CaptureFixture[str]
) -> None:
    stored.publisher.publish_all(batch(1))
    stored.nats.kill()
    started = time.monotonic()
    with pytest.raises(Unavailable):
        stored.publisher.publish_all(batch(2 * AT_ONCE))
    assert time.monotonic() - started < 7
    assert "messages not confirmed" in capsys.readouterr().out
    stored.nats.start()
    wait_until(lambda: is_taken(stored.publisher), 15)


def test_a_server_that_comes_later_is_found(tmp_path: Path) -> None:
    nats = Nats(tmp_path, tmp_path / "nats")
    publisher = Publisher(nats.url)
    with pytest.raises(Unavailable):
        publisher.publish("jobs.expired.j", {})
    nats.start()
    try:

        def answers() -> bool:
            with pytest.raises(Unavailable) as caught:  # there are no streams
                publisher.publish("jobs.expired.j", {})
            return caught.value is not None

        started = time.monotonic()
        answers()
        assert time.monotonic() - started < 3, "it must be connected"
    finally:
        publisher.close()
        nats.kill()


def test_a_connection_that_was_closed_for_good_is_made_again(stored: Flow) -> None:
    stored.publisher.publish_all(batch(1))
    stored.nats.ask_for_a_password(True)
    with pytest.raises(Unavailable):
        wait_until(lambda: not stored.publisher.publish_all(batch(2)), 10)
    stored.nats.ask_for_a_password(False)
    wait_until(lambda: is_taken(stored.publisher), 15)


def is_taken(publisher: Publisher) -> bool:
    """Whether the stream confirms a message."""
    try:
        publisher.publish_all(batch(3))
    except Unavailable:
        return False
    return True
