"""A host is lost in the middle of a job: nothing is lost or doubled, the others go on, and nobody waits for long."""

import sys
import time

from tests.client import Caller
from tests.hosts.balancer import SECONDS_AWAY
from tests.hosts.jobs import assert_whole, done_by_host, photographs, wait_until_done
from tests.hosts.spread import Spread, host_settings
from tests.platform_driver import wait_until
from tests.system.rows import Rows

SECONDS_TO_NOTICE = 40
"""What the connector takes to leave a connection that says nothing, a lease to lapse, and what is done again then."""

LOCK_THE_JOB = """
import os, sys, time
from countermark.servers.database import Database

with Database(os.environ["DATABASE_URL"]).transaction() as connection:
    connection.run("SELECT FROM jobs WHERE token = :token FOR UPDATE", token=sys.argv[1])
    print("locked", flush=True)
    time.sleep(600)
"""


def test_a_host_that_is_cut_off_delays_its_job_by_seconds_and_does_no_harm_when_it_is_back(
    spread: Spread, caller: Caller, rows: Rows
) -> None:
    lost, *others = spread.network.hosts.values()
    job = caller.upload(photographs())
    wait_until_done(caller, job, 5)
    lost.cut_off()
    before, cut_off = done_by_host(others, rows.id_of(job)), time.monotonic()
    ended = caller.wait(job)
    assert time.monotonic() - cut_off < SECONDS_TO_NOTICE
    assert all(done > before[name] for name, done in done_by_host(others, rows.id_of(job)).items())

    lost.join_again()
    time.sleep(SECONDS_AWAY)
    second = caller.upload(photographs())
    caller.wait(second)
    assert done_by_host([lost], rows.id_of(second))[lost.name] > 0
    for each in (job, second):
        assert_whole(caller, each)
    assert {**caller.status(job), "now": None} == {**ended, "now": None}


def test_a_host_whose_processes_are_killed_delays_its_job_hardly(spread: Spread, caller: Caller) -> None:
    job = caller.upload(photographs())
    wait_until_done(caller, job, 5)
    spread.network.hosts["a"].kill()
    killed = time.monotonic()
    caller.wait(job)
    assert time.monotonic() - killed < SECONDS_TO_NOTICE / 2
    assert_whole(caller, job)


def test_a_transaction_of_a_host_that_is_lost_does_not_hold_up_its_job(spread: Spread, caller: Caller) -> None:
    lost = spread.network.hosts["a"]
    spread.platform.stop("archive")
    try:
        job = caller.upload(photographs(6))
        wait_until_done(caller, job, 6)
        environment = {**host_settings(spread.platform, spread.network), "PYTHONPATH": "functions"}
        lost.start("transaction", [sys.executable, "-c", LOCK_THE_JOB, job], environment)
        wait_until(lambda: "locked" in lost.log("transaction"))
        lost.cut_off()
    finally:
        spread.platform.start("archive")
    assert caller.wait(job, seconds=30)["state"] == "ready"
