"""watermark runs on several hosts: the work spreads, and hosts come and go in the middle of a job."""

from concurrent.futures import ThreadPoolExecutor

from tests.client import Caller
from tests.hosts.jobs import COUNT, assert_whole, done_by_host, done_more_than_once, photographs, wait_until_done
from tests.hosts.spread import Spread
from tests.platform_driver import wait_until
from tests.system.rows import Rows


def test_every_host_marks_some_of_a_jobs_images(spread: Spread, caller: Caller, rows: Rows) -> None:
    job = caller.upload(photographs())
    caller.wait(job)
    hosts = spread.network.hosts.values()
    done = done_by_host(hosts, rows.id_of(job))
    assert sum(done.values()) == COUNT
    assert min(done.values()) >= COUNT // 6
    assert done_more_than_once(hosts, rows.id_of(job)) == []
    assert_whole(caller, job)


def test_a_host_that_comes_in_the_middle_of_a_job_takes_work(spread: Spread, caller: Caller, rows: Rows) -> None:
    new = spread.add_host("d")
    with ThreadPoolExecutor() as other:
        sent = other.submit(caller.upload, photographs())
        wait_until(lambda: spread.connector.deliveries("watermark", "done") >= 5)
        spread.lead_to_all()
        job = sent.result()
    caller.wait(job)
    assert done_by_host([new], rows.id_of(job))["d"] > 0
    assert_whole(caller, job)


def test_a_host_leaves_in_the_middle_of_a_job_without_a_failed_call(spread: Spread, caller: Caller, rows: Rows) -> None:
    leaving = spread.network.hosts["a"]
    job = caller.upload(photographs())
    wait_until_done(caller, job, 5)
    # As Kubernetes ends a pod: calls go elsewhere, queue-proxy ends those that it has, and then the function is told.
    spread.lead_to_all(but=leaving)
    assert leaving.leave("queue-proxy") == 0
    assert leaving.leave("watermark") == 0
    caller.wait(job)
    assert spread.connector.deliveries("watermark", "retry") == 0
    assert done_by_host([leaving], rows.id_of(job))["a"] > 0
    assert done_more_than_once(spread.network.hosts.values(), rows.id_of(job)) == []
    assert_whole(caller, job)
