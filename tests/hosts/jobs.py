"""Jobs that are long enough for something to happen in the middle, and what must be true of them at the end."""

from collections import Counter
from collections.abc import Iterable

from tests.client import PHOTOGRAPHS, Caller, File, report_of
from tests.hosts.copies import images_done
from tests.hosts.host import Host

COUNT = 120


def photographs(count: int = COUNT) -> list[File]:
    """Enough images to lose a host among."""
    return [(f"{number}.jpg", PHOTOGRAPHS[number % len(PHOTOGRAPHS)].read_bytes()) for number in range(count)]


def wait_until_done(caller: Caller, job: str, count: int) -> None:
    """Wait until so many images are marked."""
    caller.wait_for(job, lambda document: document["done"] >= count)


def assert_whole(caller: Caller, job: str, count: int = COUNT) -> None:
    """The job is ready with each image once: in the status, in the report and in the ZIP."""
    status, files = caller.status(job), caller.archive(job)
    assert (status["state"], status["done"], status["failed"]) == ("ready", count, 0)
    assert set(files) == {*(name for name, _ in photographs(count)), "report.json"}
    assert report_of(files)["done"] == count


def done_by_host(hosts: Iterable[Host], key: str) -> dict[str, int]:
    """How many of a job's images each host has marked."""
    return {host.name: len(images_done(host, key)) for host in hosts}


def done_more_than_once(hosts: Iterable[Host], key: str) -> list[int]:
    """The images of a job that were marked more than once."""
    counted = Counter(number for host in hosts for number in images_done(host, key))
    return [number for number, times in counted.items() if times > 1]
