"""What must hold: after every step, when everything has come to rest, and at the end."""

import io
import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from countermark import engine
from countermark.http.cells import engine_limits
from countermark.jobs.keys import OPTIONS_NAME, options_key, split_drop_key, view_archive, view_prefix
from countermark.jobs.reading import ALL
from countermark.jobs.rows import Seen
from countermark.names import fold
from countermark.servers.objects import DROP, RESULTS, UPLOADS

from functions.reconcile.store import MARKER
from functions.status.document import status_document, status_etag
from tests.jobs.world import World, etag_of, plain

OPEN = ("receiving", "processing", "archiving", "ready", "failed")
TO_LINE = ("receiving", "processing")
OF_THE_ROW = {"invalid_options", "given_up", "not_uploaded", "missing"}
"""Why an image fails though its file is a picture."""

_expected: dict[tuple[Any, ...], tuple[str, str]] = {}


class Row(dict[str, Any]):
    """A row, its columns as attributes."""

    __getattr__ = dict.__getitem__


class Checks:
    """What was seen, to compare what is seen next with it."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.check = lambda: assert_nothing(self.after_a_step())
        self.before: dict[Any, Row] = {}
        self.jobs: dict[str, Row] = {}
        self.images: list[Row] = []
        self.ledger: set[tuple[str, str, str]] = set()
        self.seen: dict[str, Seen] = {}
        self.told: dict[tuple[str, str], dict[str, Any]] = {}
        """What people were told, by job and ETag."""

    def look(self) -> None:
        """Read the rows."""
        look = self.world.look
        jobs = map(Row, look.table("jobs"))
        self.images = [*map(Row, look.table("images", "ORDER BY job_id, number"))]
        ledger = map(Row, look.table("ledger"))
        self.jobs = {job.id: job for job in jobs}
        self.seen = {job.id: job for job in look.seen()}
        for job in self.jobs.values():
            if job.state not in OPEN:
                self.world.expired.setdefault(job.id, self.world.clock)
        self.ledger = {(row.bucket, row.key, row.job_id) for row in ledger}

    def after_a_step(self) -> list[str]:
        """What is wrong at any time."""
        self.look()
        harm = [*self.world.harm, *self._line(), *self._names(), *self._steps()]
        for image in self.images:
            harm += [f"image {image.job_id}/{image.number}: {what}" for what in self._image(image)]
        for job in self.jobs.values():
            harm += [f"job {job.id} ({job.state}): {what}" for what in self._job(job)]
        self.before = self._now()
        return harm

    def _now(self) -> dict[Any, Row]:
        """Jobs by their ids, images by job and number."""
        return {**self.jobs, **{(image.job_id, image.number): image for image in self.images}}

    # ---- images ---------------------------------------------------------------------------------------------------
    def _image(self, image: Row) -> Iterator[str]:
        job = self.jobs[image.job_id]
        if image.in_line and (image.state != "waiting" or job.state not in TO_LINE):
            yield f"is in line, but {image.state} in a job that is {job.state}"
        if image.lease and not image.in_line:
            yield "has a lease and is not in line"
        if job.state in OPEN:
            yield from self._open_image(image, job)

    def _open_image(self, image: Row, job: Row) -> Iterator[str]:
        if image.state in ("expected", "waiting") and job.state not in TO_LINE:
            yield f"is {image.state}"
        if image.state == "removed":
            if job.source != "drop":
                yield "is removed from a job that was uploaded"
            return
        if (image.bucket, image.key, image.job_id) not in self.ledger:
            yield "its original is not in the ledger"
        if image.bucket == UPLOADS and image.etag and (UPLOADS, image.key) not in self.world.objects.objects:
            yield "its original is not in the store"
        yield from self._blame(image, f"{image.job_id}/{image.number}")
        if image.state == "done":
            yield from self._done(image, job)
        elif image.state == "failed":
            yield from self._failed(image, job)

    def _blame(self, row: Row, name: str) -> Iterator[str]:
        number = row.get("number", 0)
        job = row.job_id if number else row.id
        blamed = sum(
            lease.blamed
            for lease in self.world.leases.values()
            if (lease.job, lease.number, lease.revision) == (job, number, row.revision)
        )
        if row.failures > blamed:
            yield f"{name} has {row.failures} failures, {blamed} are to blame"

    def _done(self, image: Row, job: Row) -> Iterator[str]:
        stored = self.world.objects.objects.get((RESULTS, image.result_key))
        if stored is None:
            yield f"its result {image.result_key} is not in the store"
            return
        if (RESULTS, image.result_key, image.job_id) not in self.ledger:
            yield f"its result {image.result_key} is not in the ledger"
        if image.result_key.split("/")[1].split(".")[:2] != [str(image.number), str(image.revision)]:
            yield f"is at revision {image.revision}, and its result is {image.result_key}"
        if expected_of(self.world, image, job) != ("done", stored.known.etag):
            yield f"has not the result of {image.etag} with {job.options}, but {self._whose(stored.known.etag)}"
        if stored.known.bytes != image.result_bytes:
            yield "its row says something else of its result"

    def _etag(self, key: str) -> str:
        return self.world.objects.objects[RESULTS, key].known.etag

    def _whose(self, etag: str) -> str:
        return next((str(key) for key, (_, result) in _expected.items() if result == etag), "something unknown")

    def _failed(self, image: Row, job: Row) -> Iterator[str]:
        if image.code == "invalid_options":
            if not job.options_problem:
                yield "failed for options that are right"
        elif image.code == "given_up":
            if image.failures < self.world.settings.image_attempts:
                yield "was given up too early"
        elif image.code == "not_uploaded":
            yield from self._not_uploaded(image, job)
        elif image.code == "missing":
            if not (image.key.startswith("posted/") and job.token not in self._posted()):
                yield "failed as missing"
        elif expected_of(self.world, image, job) != ("failed", image.code):
            yield f"failed: {image.code}, {image.reason}"

    def _not_uploaded(self, image: Row, job: Row) -> Iterator[str]:
        known = self.before.get((image.job_id, image.number))
        if known is None or known.state == "expected":
            began = self.world.began.get(id(self.world.current), self.world.clock)
            if any(clock < began for clock, _ in self.world.history.get((image.bucket, image.key), [])):
                yield "was uploaded before somebody gave it up"
        elif known.state == "waiting":
            yield "has come, and was given up as not uploaded"
        if image.key.startswith("posted/") and job.token in self._posted():
            yield "was posted, the answer said so, and it was given up"

    def _posted(self) -> set[str]:
        return {token for token, upload in self.world.uploads.items() if upload.files}

    # ---- jobs -----------------------------------------------------------------------------------------------------
    def _job(self, job: Row) -> Iterator[str]:
        if job.lease and job.state != "archiving":
            yield "has a lease"
        if job.state not in OPEN:
            return
        yield from self._blame(job, "its ZIP")
        yield from self._shown(job)
        its = [image for image in self.images if image.job_id == job.id and image.state != "removed"]
        yield from self._as_sent(job, its)
        done = [image for image in its if image.state == "done"]
        if job.state == "ready" and (not done or not job.archive_key):
            yield "has no ZIP or no image"
        if job.state == "failed" and done and job.failures < self.world.settings.archive_attempts:
            yield f"failed, though images are done: {job.reason}"
        if job.state not in ("ready", "failed") and (job.archive_key or job.expires_at):
            yield "has a ZIP or an hour"
        if job.archive_key:
            yield from self._zip(job, its)
            yield from self._taken_out(job, done)

    def _shown(self, job: Row) -> Iterator[str]:
        """What people are shown, and that it is what they were shown with the same ETag."""
        its = [image for image in self.images if image.job_id == job.id and image.state != "removed"]
        states = Counter(image.state for image in its)
        counted = (len(its), states["done"], states["failed"])
        if counted != (job.total, job.done, job.failed):
            yield f"has {counted} images, and says {(job.total, job.done, job.failed)}"
        seen = self.seen[job.id]
        for which, shown in {"all": its, "failed": [i for i in its if i.state == "failed"], "none": []}.items():
            document = {**status_document(seen, shown), "now": ""}
            before = self.told.setdefault((job.id, status_etag(seen, which, ALL)), document)
            if before != document:
                yield f"is told as {document} and as {before} with one ETag"

    def _as_sent(self, job: Row, its: list[Row]) -> Iterator[str]:
        upload = self.world.uploads.get(job.token)
        if upload is None:
            return
        if upload.options and plain(job.options) != upload.options:
            yield f"has other options than were sent: {job.options}"
        if not upload.files:
            return
        if {image.number: image.name for image in its} != {number: name for number, (name, _) in upload.files.items()}:
            yield f"has other images than were sent: {[image.name for image in its]}"
            return
        for image in its:
            if image.etag and image.etag not in upload.files[image.number][1]:
                yield f"image {image.number} is of a file that was not sent for it"

    def _taken_out(self, job: Row, done: list[Row]) -> Iterator[str]:
        """A file that was taken out of its folder before somebody began to make the ZIP is not in it."""
        known = self.before.get(job.id)
        if known is None or known.archive_key == job.archive_key:
            return
        began = self.world.began.get(id(self.world.current), self.world.clock)
        for image in done:
            place = (image.bucket, image.key)
            gone = self.world.taken_out.get(place, began)
            if gone < began and all(clock < gone for clock, _ in self.world.history[place]):
                yield f"its ZIP has {image.name}, which was taken out"

    def _zip(self, job: Row, its: list[Row]) -> Iterator[str]:
        stored = self.world.objects.objects.get((RESULTS, job.archive_key))
        if stored is None:
            yield "its ZIP is not in the store"
            return
        if (RESULTS, job.archive_key, job.id) not in self.ledger:
            yield "its ZIP is not in the ledger"
        with zipfile.ZipFile(io.BytesIO(stored.data)) as archive:
            content = {name: etag_of(archive.read(name)) for name in archive.namelist()}
        content.pop("report.json")
        rows = {image.result_name: self._etag(image.result_key) for image in its if image.state == "done"}
        if content != rows:
            yield f"its ZIP has {content}, the rows say {rows}"
        if stored.known.bytes != job.archive_bytes:
            yield "its ZIP has another size than its row says"

    # ---- all ------------------------------------------------------------------------------------------------------
    def _line(self) -> Iterator[str]:
        for owner, count in Counter(image.owner for image in self.images if image.in_line).items():
            if count > self.world.settings.line_share:
                yield f"{owner} has {count} images in line"

    def _names(self) -> Iterator[str]:
        names: dict[str, list[str]] = {}
        for image in self.images:
            if image.state != "removed":
                names.setdefault(image.job_id, []).append(fold(image.result_name))
        for job, its in names.items():
            folders = {str(folder) for name in its for folder in PurePosixPath(name).parents}
            if len(set(its)) < len(its) or folders & set(its) or "report.json" in its:
                yield f"names of job {job}: {sorted(its)}"

    def _steps(self) -> Iterator[str]:
        """What may not become of what was."""
        now = self._now()
        for which, old in self.before.items():
            new = now.get(which)
            if new is None:
                job = now.get(which if isinstance(which, str) else which[0])
                if job is not None and job.state != "gone":
                    yield f"{which} was forgotten"
                continue
            if new.revision < old.revision or (isinstance(which, str) and _is_back(old.state, new.state)):
                yield f"{which} went from {old.state} r{old.revision} back to {new.state} r{new.revision}"
            if not isinstance(which, str) and old.revision == new.revision and not _is_the_same_end(old, new):
                yield f"{which} r{old.revision} was {old.state} {old.code}, and is {new.state} {new.code}"

    # ---- at rest --------------------------------------------------------------------------------------------------
    def at_rest(self) -> list[str]:
        """What is wrong when nothing goes on but hours."""
        self.look()
        harm = []
        objects = self.world.objects.objects
        stray = [
            image
            for image in self.images
            if image.state in ("expected", "waiting") and self.jobs[image.job_id].state in OPEN
        ]
        harm += [f"{image.job_id}/{image.number} is {image.state}" for image in stray]
        harm += [
            f"job {job.id} is {job.state}" for job in self.jobs.values() if job.state not in ("ready", "failed", "gone")
        ]
        shown = {}
        for job in self.jobs.values():
            if job.source == "drop" and job.state in ("ready", "failed"):
                harm += self._drop_at_rest(job)
                prefix = view_prefix(job.folder)
                its = [image for image in self.images if image.job_id == job.id and image.state == "done"]
                shown |= {prefix + image.result_name: self._etag(image.result_key) for image in its}
                if job.archive_key:
                    shown[view_archive(job.folder)] = self._etag(job.archive_key)
        there = {
            key: stored.known.etag
            for (bucket, key), stored in objects.items()
            if bucket == RESULTS and key.startswith("drop")
        }
        if shown != there:
            harm.append(f"people see {there}, the rows say {shown}")
        known = {(bucket, key) for bucket, key, _ in self.ledger}
        harm += [
            f"{place} is known to nobody"
            for place in objects
            if place not in known and place[0] != DROP and place[1] != MARKER
        ]
        return harm

    def _drop_at_rest(self, job: Row) -> Iterator[str]:
        objects = self.world.objects.objects
        its = {image.key: image.etag for image in self.images if image.job_id == job.id and image.state != "removed"}
        there = {
            key: stored.known.etag
            for (bucket, key), stored in objects.items()
            if bucket == DROP and split_drop_key(key)[0] == job.folder and not key.endswith(OPTIONS_NAME)
        }
        # What was taken out after the last ZIP stays in it; what was put there is always taken.
        takes_files = job.created_at > datetime.now(UTC) - timedelta(hours=self.world.settings.drop_hours)
        if takes_files and any(its.get(key) != etag for key, etag in there.items()):
            yield f"folder {job.folder} has {there}, the rows say {its}"
        options = objects.get((DROP, options_key(job.folder)))
        if options and options.known.etag != job.options_etag:
            yield f"folder {job.folder} has other options than its job"
        elif options and not job.options_problem and plain(json.loads(options.data)) != plain(job.options):
            yield f"job {job.id} has other options than its folder"

    def at_the_end(self) -> list[str]:
        """What is left over."""
        self.look()
        left = [f"{place} is left" for place in self.world.objects.objects if place[1] != MARKER]
        left += [f"{row} is left in the ledger" for row in self.ledger]
        left += [f"{image.job_id}/{image.number} is left" for image in self.images]
        left += [f"job {job.id} is {job.state}" for job in self.jobs.values() if job.state != "gone"]
        left += [f"{row} is left in the outbox" for row in self.world.look.rows("SELECT subject FROM outbox")]
        return left + [f"{subject} is left in the stream" for subject, _ in self.world.waiting_messages()]


def bring_to_the_end(world: World, checks: Checks) -> None:
    """Everything comes to rest, and ends hour after hour; nothing is left."""
    left: list[str] = []
    for _ in range(8):
        world.clock += 1
        world.run_fairly()
        assert_nothing(checks.after_a_step() + checks.at_rest())
        if not (left := checks.at_the_end()):
            return
        for job in checks.jobs.values():
            world.hour_is_over(job.token)
        world.age_objects()
    assert_nothing(left)


def assert_nothing(harm: list[str]) -> None:
    """Nothing is wrong."""
    assert not harm, "\n".join(harm)


def _is_the_same_end(old: Row, new: Row) -> bool:
    if old.state not in ("done", "failed") or new.state == "removed":
        return True
    return (new.state, new.result_key, new.code) == (old.state, old.result_key, old.code)


def _is_back(old: str, new: str) -> bool:
    order = {"expired": 1, "gone": 2}
    return order.get(new, 0) < order.get(old, 0)


def expected_of(world: World, image: Row, job: Row) -> tuple[str, str]:
    """``done`` and the result's etag, or ``failed`` and the code, of an image with the options of its job."""
    which = (image.etag, json.dumps(job.options, sort_keys=True), PurePosixPath(image.name).name, image.number)
    if which not in _expected:
        try:
            edited = engine.process(
                world.contents[image.etag],
                engine.load_options(job.options),
                name=which[2],
                number=image.number,
                limits=engine_limits(world.settings),
            )
            _expected[which] = ("done", etag_of(edited.data))
        except engine.ImageError as error:
            _expected[which] = ("failed", error.code)
    return _expected[which]
