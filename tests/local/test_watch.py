"""What lives and does not work is started again; what starts, or was stopped on purpose, is left alone."""

from pathlib import Path
from typing import Any

import pytest

from infra.local.process import Process
from infra.local.watch import Watch


class Server:
    """A process whose health is as the test says, and a clock."""

    def __init__(self) -> None:
        self.now, self.started, self.pid, self.state = 1000.0, 0.0, 1, "RUNNING"
        self.error: str | None = None
        self.again: list[tuple[float, str]] = []
        process = Process(
            name="nats", group="servers", command=[], environment={}, check=lambda: None, health=self.health
        )
        self.watch = Watch(
            processes=[process], start_again=lambda _, why: self.again.append((self.now, why)), clock=lambda: self.now
        )

    def health(self) -> None:
        if self.error is not None:
            raise OSError(self.error)

    def look(self, seconds: int) -> None:
        """Look once a second."""
        for _ in range(seconds):
            self.now += 1
            told: dict[str, Any] = {"statename": self.state, "pid": self.pid, "start": self.started, "now": self.now}
            self.watch.look({"nats": told})


@pytest.fixture
def server() -> Server:
    """A server that has worked."""
    made = Server()
    made.look(1)
    return made


def test_one_that_does_not_work_for_a_while_is_started_again_with_the_reason(server: Server) -> None:
    server.error = "no space left"
    server.look(15)
    assert server.again == []
    server.look(1)
    assert server.again == [(1017.0, "no space left")]


def test_a_good_answer_in_between_is_enough(server: Server) -> None:
    for _ in range(5):
        server.error = "slow"
        server.look(14)
        server.error = None
        server.look(1)
    assert server.again == []


def test_one_that_has_just_started_may_take_its_time_but_not_for_ever(server: Server) -> None:
    server.pid, server.started, server.error = 2, server.now, "reading its data"
    server.look(119)
    assert server.again == []
    server.look(30)
    assert len(server.again) == 1


@pytest.mark.parametrize("state", ["STOPPED", "STARTING", "BACKOFF", "EXITED"])
def test_what_was_stopped_or_is_being_started_is_left_alone(server: Server, state: str) -> None:
    server.state, server.error = state, "nothing answers"
    server.look(300)
    assert server.again == []


def test_one_that_the_supervisor_gave_up_is_started_again(server: Server) -> None:
    server.state = "FATAL"
    server.look(16)
    assert [why for _, why in server.again] == ["it ended again and again"]


def test_what_has_no_health_of_its_own_is_left_to_the_supervisor(tmp_path: Path) -> None:
    again: list[str] = []
    process = Process(name="f", group="functions", command=[], environment={}, check=lambda: None, directory=tmp_path)
    watch = Watch(processes=[process], start_again=lambda each, _: again.append(each.name))
    watch.look({"f": {"statename": "RUNNING", "pid": 1, "start": 0, "now": 1000}})
    watch.look({})
    assert again == []
