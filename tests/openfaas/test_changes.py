"""Replicas come, go and die in the middle of a job: nothing is lost, nothing is given up, and no caller sees it."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.client import PHOTOGRAPHS, Caller, picture
from tests.hosts.jobs import assert_whole, photographs, wait_until_done
from tests.openfaas.installation import Installation
from tests.openfaas.provider import Deployment
from tests.openfaas.replicas import WATCHDOG
from tests.platform_driver import wait_until

COUNT = 40
SLOW, FAST = 0.25, 64.0
"""Cores of a replica."""
SECONDS_AWAY = 5
BUSY = {429, 503}
"""Told to come again: allowed, when more come than fit."""


@pytest.fixture(autouse=True)
def _nothing_was_given_up(openfaas: Installation) -> Iterator[None]:
    """Whatever a test does, at its end everything is as deployed, and no message has become a dead letter."""
    yield
    openfaas.wait_until_settled()
    assert [openfaas.connector.deliveries(name, "dead") for name in openfaas.provider.functions] == [0] * 8


@contextmanager
def slow(deployment: Deployment) -> Iterator[None]:
    """The replicas that there are work slowly, so that a job lasts."""
    replicas = list(deployment.replicas)
    for replica in replicas:
        replica.host.quota.limit(SLOW)
    try:
        yield
    finally:
        for replica in replicas:
            replica.host.quota.limit(FAST)


class Visitor(threading.Thread):
    """Somebody who looks at a job and has images marked, again and again."""

    def __init__(self, url: str, job: str) -> None:
        super().__init__()
        self.told: list[tuple[int, str]] = []
        """Each answer that was no success: its status and what it said."""
        self.answers = 0
        self._caller, self._job, self._told_to_leave = Caller(url), job, threading.Event()

    def run(self) -> None:
        while not self._told_to_leave.wait(0.2):
            for answer in (
                self._caller.http.get(f"/function/status/{self._job}"),
                self._caller.http.post("/function/watermark", params={"text": "x"}, content=picture()),
            ):
                self.answers += 1
                if not answer.is_success:
                    self.told.append((answer.status_code, answer.text[:200]))

    def leave(self) -> None:
        self._told_to_leave.set()
        self.join()
        self._caller.http.close()


@contextmanager
def visited(caller: Caller, job: str) -> Iterator[Visitor]:
    """Somebody visits meanwhile."""
    visitor = Visitor(caller.url, job)
    visitor.start()
    try:
        yield visitor
    finally:
        visitor.leave()


def test_replicas_are_added_and_taken_away_in_mid_job(openfaas: Installation, caller: Caller) -> None:
    with slow(openfaas.watermark):
        job = caller.upload(photographs(COUNT))
        with visited(caller, job) as visitor:
            openfaas.scale("watermark", 3)
            openfaas.wait_until_settled()
            assert len(openfaas.watermark.ready) == 3
            openfaas.scale("watermark", 1)
            caller.wait(job)
    assert visitor.answers > 0
    assert [told for told in visitor.told if told[0] not in BUSY] == []
    assert_whole(caller, job, COUNT)


def test_none_becomes_one_when_somebody_calls(openfaas: Installation) -> None:
    openfaas.provider.scale("watermark", 0)
    openfaas.wait_until_settled()
    assert openfaas.watermark.replicas == []
    started = time.monotonic()
    body = PHOTOGRAPHS[0].read_bytes()
    answer = httpx.post(f"{openfaas.gateway}/function/watermark?text=x", content=body, timeout=60)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")
    print(f"from none to an answer: {time.monotonic() - started:.1f} s")


def test_a_job_finds_no_replica_and_is_done(openfaas: Installation, caller: Caller) -> None:
    openfaas.provider.scale("watermark", 0)
    openfaas.wait_until_settled()
    job = caller.upload(photographs(4))
    caller.wait(job)
    assert_whole(caller, job, 4)


def test_a_watchdog_is_killed_in_mid_job(openfaas: Installation, caller: Caller) -> None:
    with slow(openfaas.watermark):
        job = caller.upload(photographs(COUNT))
        wait_until_done(caller, job, 5)
        (replica,) = openfaas.watermark.replicas
        os.kill(replica.host.processes[WATCHDOG].pid, signal.SIGKILL)
    caller.wait(job)
    assert_whole(caller, job, COUNT)


def test_everything_is_deployed_again_in_mid_job(openfaas: Installation, caller: Caller) -> None:
    before = [replica for each in openfaas.provider.functions.values() for replica in each.replicas]
    openfaas.stack_file.write_text(openfaas.stack_file.read_text().replace(":latest", ":next"))
    with slow(openfaas.watermark):
        job = caller.upload(photographs(COUNT))
        with visited(caller, job) as visitor:
            wait_until_done(caller, job, 5)
            openfaas.deploy("--env", "JOB_LIFETIME=1800")
            openfaas.wait_until_settled()
            caller.wait(job)
    asked = openfaas.watermark.asked
    assert asked["image"].endswith("/watermark:next")
    assert asked["envVars"]["JOB_LIFETIME"] == "1800"
    assert [told for told in visitor.told if told[0] not in BUSY] == []
    assert_whole(caller, job, COUNT)
    wait_until(lambda: not any(each.is_alive for each in before))
    assert [each.host.processes[WATCHDOG].returncode for each in before] == [0] * len(before), "one had to be killed"


def test_the_provider_is_away_in_mid_job(openfaas: Installation, caller: Caller) -> None:
    with slow(openfaas.watermark):
        job = caller.upload(photographs(COUNT))
        wait_until_done(caller, job, 5)
        openfaas.provider.go_away()
        answer = httpx.get(f"{openfaas.gateway}/function/status/{job}")
        assert answer.status_code in {404, 502}
        time.sleep(SECONDS_AWAY)
        openfaas.provider.come_back()
    wait_until(lambda: caller.http.get(f"/function/status/{job}").status_code == 200)
    caller.wait(job)
    assert_whole(caller, job, COUNT)
