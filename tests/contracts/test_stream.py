"""The stream's contract, on a real server and in memory: what is published is there once, or as often as it came."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest
from countermark.http.problems import Unavailable
from countermark.servers.stream import Publisher
from countermark.testing import MemoryStream

from infra.connector.settings import ConnectorSettings
from infra.connector.streams import COUNTERMARK, NOTIFICATIONS, stream_configs, update_stream
from tests.own_nats import Nats
from tests.system.stream import Stream

WAITING = "images.waiting.j.1.1"


class Kept(Protocol):
    """A stream, and what it keeps."""

    publisher: Publisher | MemoryStream

    def subjects(self) -> Counter[str]:
        """How many messages it has of each subject."""

    def take(self, subject: str) -> None:
        """A function has answered."""


class Real:
    """A server with our streams, and without a connector."""

    def __init__(self, nats: Nats) -> None:
        self.publisher = Publisher(nats.url)
        self._stream = Stream(nats.url)
        for config in stream_configs(ConnectorSettings(nats_url=nats.url)).values():
            self._stream.ask(lambda stream, config=config: update_stream(stream, config))

    def subjects(self) -> Counter[str]:
        return Counter(self._stream.subjects(COUNTERMARK)) + Counter(self._stream.subjects(NOTIFICATIONS))

    def take(self, subject: str) -> None:
        self._stream.lose(subject)


class Memory:
    """The stream in memory."""

    def __init__(self) -> None:
        self.publisher = MemoryStream()

    def subjects(self) -> Counter[str]:
        return Counter({subject: len(messages) for subject, messages in self.publisher.messages.items()})

    def take(self, subject: str) -> None:
        self.publisher.messages[subject].pop(0)
        if not self.publisher.messages[subject]:
            del self.publisher.messages[subject]


@pytest.fixture(params=["nats", "memory"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    """Each of the two, empty."""
    if request.param == "memory":
        yield Memory()
        return
    nats = Nats(tmp_path, tmp_path / "stream")
    nats.start()
    try:
        real = Real(nats)
        yield real
        real.publisher.close()
    finally:
        nats.kill()


def test_of_images_and_jobs_it_has_one_message_a_subject(kept: Kept) -> None:
    for subject in (WAITING, "jobs.complete.j.0", "jobs.expired.j"):
        assert kept.publisher.publish_all([(subject, {}), (subject, {})]) == [True, True]
        assert kept.publisher.publish_all([(subject, {})]) == [True]
        assert kept.subjects()[subject] == 1


def test_what_was_taken_can_be_sent_again(kept: Kept) -> None:
    kept.publisher.publish(WAITING, {})
    kept.take(WAITING)
    assert kept.subjects() == Counter()
    kept.publisher.publish(WAITING, {})
    assert kept.subjects() == Counter({WAITING: 1})


def test_notifications_are_kept_as_often_as_they_come(kept: Kept) -> None:
    kept.publisher.publish_all([("objects.created.drop", {"n": n}) for n in range(3)])
    assert kept.subjects() == Counter({"objects.created.drop": 3})


def test_what_no_stream_takes_holds_up_no_other(kept: Kept) -> None:
    messages = [("nobody.listens", {}), (WAITING, {}), ("a subject with spaces", {}), ("jobs.x", {"x": "x" * 2**21})]
    assert kept.publisher.publish_all(messages) == [False, True, False, False]
    assert kept.subjects() == Counter({WAITING: 1})
    with pytest.raises(Unavailable):
        kept.publisher.publish_all([("nobody.listens", {})])


def test_nothing_is_published_without_messages(kept: Kept) -> None:
    assert kept.publisher.publish_all([]) == []
    assert kept.subjects() == Counter()
