"""While a function works, its lease is renewed; a renewal that fails is tried again and holds up no other."""

import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
from countermark.jobs import leases
from countermark.jobs.leases import kept

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # how a thread is ended
SECONDS = 0.06


class Renewals:
    """Counts renewals; the first ones may fail, and the thread of the test ends at last."""

    def __init__(self, failing: int = 0) -> None:
        self.count, self.failing, self.over = 0, failing, False
        self.came = threading.Condition()

    def __call__(self) -> None:
        with self.came:
            self.count += 1
            self.came.notify_all()
        if self.over:
            raise SystemExit
        if self.count <= self.failing:
            raise OSError("the database is away")

    def until(self, count: int) -> bool:
        """Wait for so many of them."""
        with self.came:
            return self.came.wait_for(lambda: self.count >= count, timeout=20)


@pytest.fixture(autouse=True)
def own_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A thread of the test's own, which renews soon and ends with the test."""
    monkeypatch.setattr(leases, "_thread", None)
    yield
    if leases._thread is not None:
        last = Renewals()
        last.over = True
        with kept("last", last, seconds=SECONDS):
            leases._thread.join(20)
        assert not leases._thread.is_alive()


def test_what_is_worked_on_is_renewed_again_and_again() -> None:
    one, other = Renewals(), Renewals()
    with kept("one", one, seconds=SECONDS), kept("other", other, seconds=SECONDS):
        assert one.until(3)
        assert other.until(3)


def test_a_renewal_that_fails_is_tried_again_and_holds_up_no_other() -> None:
    failing, other = Renewals(failing=2), Renewals()
    with kept("failing", failing, seconds=SECONDS), kept("other", other, seconds=SECONDS):
        assert other.until(3)
        assert failing.until(3)


def test_what_has_ended_is_renewed_no_more() -> None:
    ended, other = Renewals(), Renewals()
    with suppress(ValueError), kept("ended", ended, seconds=SECONDS):
        assert ended.until(1)
        raise ValueError
    with kept("other", other, seconds=SECONDS):
        assert other.until(1)  # a turn that had begun before is over
        count = ended.count
        assert other.until(3)
    assert ended.count == count
