"""Every result is decoded and compared with what was sent: the right picture, version, options and name, each once."""

import io
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
from botocore.exceptions import ClientError

from tests.chaos.book import Book, Job, Sent
from tests.chaos.pictures import Unreadable, read
from tests.chaos.senders import Client, Refused

SECONDS_TO_END = 240
"""From when the harm has ended until every job has: two leases, some sweeps, and the work itself."""
REPORT = "report.json"
GONE = {"NoSuchKey", "NoSuchBucket", "404"}

Problem = tuple[str, str]
"""A kind of finding, and what was found."""


class Checker:
    """Looks at what became of the jobs."""

    def __init__(self, client: Client, book: Book) -> None:
        self._client, self._book = client, book

    def wait_and_check(self, jobs: list[Job], seconds: float) -> None:
        """Wait until every job has ended, and compare its results."""
        deadline = time.monotonic() + seconds
        for job in jobs:
            if job.gone or not (job.token or job.folder):
                continue
            self._until(job, self._job if job.token else self._folder, deadline)

    def check_again(self, jobs: list[Job]) -> None:
        """Compare once more what has ended before: nothing may have changed since."""
        for job in jobs:
            if not job.gone and (job.token or job.folder):
                for kind, what in (self._job if job.token else self._folder)(job):
                    self._book.find(kind, f"{job}, looked at again: {what}")

    def _until(self, job: Job, look: Callable[[Job], list[Problem]], deadline: float) -> None:
        """Look until everything is right or the time is over; what has ended may not be wrong even for a moment."""
        while True:
            problems = look(job)
            if not problems:
                self._book.count_checked(job, len(job.images))
                return
            over = time.monotonic() > deadline
            if over or any(kind not in {"stuck", "not yet"} for kind, _ in problems):
                for kind, what in problems:
                    self._book.find("lost" if kind == "not yet" else kind, f"{job}: {what}")
                return
            time.sleep(0.3)

    # ---- Jobs that a client has an id of ----

    def _job(self, job: Job) -> list[Problem]:
        try:
            return self._ended(job)
        except Refused as error:
            return [("lost", f"{error}")]

    def _ended(self, job: Job) -> list[Problem]:
        answer = self._client.ask("GET", f"/function/status/{job.token}", accept=[404, 410])
        if answer.status_code != httpx.codes.OK:
            return [("lost", f"the job is answered with {answer.status_code}")]
        status = answer.json()
        if status["state"] not in {"ready", "failed"}:
            return [("stuck", f"it is {status['state']}: {_counts(status)}")]
        problems = self._states(job, status)
        if status["archive"] is None:
            return [*problems, ("lost", f"it has no ZIP, and is {status['state']}: {status['reason']}")]
        problems += self._zip(job, self._client.ask("GET", f"/job/{job.token}/archive", follow_redirects=True).content)
        for image in [image for image in status["images"] if image["state"] == "done"][::5]:
            data = self._client.ask("GET", image["result"]["url"], follow_redirects=True).content
            problems += _compare(job, image["name"], data)
        return problems

    @staticmethod
    def _states(job: Job, status: dict[str, Any]) -> list[Problem]:
        problems = []
        expected = {**dict.fromkeys(job.images, "done"), **dict.fromkeys(job.not_uploaded, "failed")}
        found = {image["name"]: image for image in status["images"]}
        if sorted(image["name"] for image in status["images"]) != sorted(expected):
            problems.append(("lost", f"its images are {sorted(found)}, not {sorted(expected)}"))
        for name, state in expected.items():
            image = found.get(name, {"state": "missing", "code": None, "reason": None})
            allowed = {("done", None), ("failed", "not_uploaded")}
            if image["state"] != state or (image["state"], image["code"]) not in allowed:
                kind = "given up" if image["code"] == "given_up" else "failed"
                problems.append((kind, f"{name} is {image['state']}: {image['code']}, {image['reason']}"))
        return problems

    # ---- Folders of the drop bucket ----

    def _folder(self, job: Job) -> list[Problem]:
        """Everything may still come, so whatever differs is only not there yet."""
        try:
            archive = self._result(f"{job.folder}.zip")
            problems = self._zip(job, archive)
            for image in job.images.values():
                problems += _compare(job, image.name, self._result(f"{job.folder}/{image.name}"))
            tree = self._list(f"{job.folder}/")
        except ClientError as error:
            if error.response["Error"]["Code"] not in GONE:
                raise
            return [("not yet", f"{error}")]
        except Refused as error:
            return [("not yet", f"{error}")]
        if tree != set(job.images):
            problems.append(("not yet", f"the visible tree has {sorted(tree)}, not {sorted(job.images)}"))
        return [("not yet", what) for _, what in problems]

    def _result(self, key: str) -> bytes:
        def get() -> bytes:
            data: bytes = self._client.s3.get_object(Bucket="results", Key=f"drop/{key}")["Body"].read()
            return data

        return bytes(self._client.store(get))

    def _list(self, prefix: str) -> set[str]:
        def get() -> set[str]:
            pages = self._client.s3.get_paginator("list_objects_v2").paginate(Bucket="results", Prefix=f"drop/{prefix}")
            return {item["Key"].removeprefix(f"drop/{prefix}") for page in pages for item in page.get("Contents", [])}

        found: set[str] = self._client.store(get)
        return found

    # ---- Both ----

    @staticmethod
    def _zip(job: Job, data: bytes) -> list[Problem]:
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                names = Counter(info.filename for info in archive.infolist())
                files = {name: archive.read(name) for name in names}
        except zipfile.BadZipFile as error:
            return [("wrong", f"the ZIP ({len(data)} bytes) is broken: {error}")]
        problems = []
        if doubled := [name for name, count in names.items() if count > 1]:
            problems.append(("doubled", f"the ZIP has twice: {doubled}"))
        if missing := [name for name in [*job.images, REPORT] if name not in files]:
            problems.append(("lost", f"the ZIP lacks {missing[:5]}, {len(missing)} in all"))
        if more := sorted(set(files) - {*job.images, REPORT}):
            problems.append(("doubled", f"the ZIP has {more[:5]} as well, {len(more)} in all"))
        for name in set(files) & set(job.images):
            problems += _compare(job, name, files[name], where="the ZIP")
        return problems


def _compare(job: Job, name: str, data: bytes, where: str = "the result") -> list[Problem]:
    """Whether a marked picture is the one that was sent under its name, with the mark of its job."""
    sent = job.images.get(name)
    if sent is None:
        return [("wrong", f"{where} {name} was never sent")]
    try:
        seen = read(data)
    except Unreadable as error:
        return [("wrong", f"{where} {name} can't be read: {error}")]
    if (seen.number, seen.version, seen.style) == (sent.number, sent.version, job.style):
        return []
    return [("wrong", f"{where} {name} is {seen}, not {_described(sent)} with {job.style}")]


def _described(sent: Sent) -> str:
    return f"number {sent.number}, version {sent.version}"


def _counts(status: dict[str, Any]) -> str:
    return ", ".join(f"{status[name]} {name}" for name in ("waiting", "done", "failed"))
