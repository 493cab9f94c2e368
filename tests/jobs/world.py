"""Everything that can happen to jobs, as steps, and what is known of it: what people sent, and who is to blame."""

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import greenlet
from countermark import engine
from countermark.http.calls import CALLER_HEADER, Event
from countermark.http.problems import Problem
from countermark.jobs.keys import OPTIONS_NAME, direct_key, options_key, split_drop_key
from countermark.servers.notifications import ObjectCreated, created_record, read_created
from countermark.servers.objects import DROP, UPLOADS
from countermark.services import Services
from PIL import Image
from werkzeug.datastructures import Headers

from functions.archive.archiving import archive
from functions.drop.arrival import take_object
from functions.expire.handler import delete
from functions.reconcile.store import MARKER
from functions.reconcile.sweep import sweep
from functions.upload.again import open_again
from functions.upload.links import close_job, open_with_links
from functions.watermark.process import process
from tests.jobs.small import DAY, Look, clean, small_settings
from tests.jobs.steps import (
    Attempt,
    OursError,
    Servers,
    SteppedDatabase,
    SteppedObjects,
    SteppedStream,
)
from tests.received import receive

LONG = 10_000_000
"""Seconds after which everything that has a deadline is over it."""
BAD = b"no picture "
LEASE_BYTES = 6
"""Of the random number that a lease is."""


def strictly(step: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """In place of the sweep's ``alone``: only what was built in may go wrong."""
    try:
        return step(*arguments, **named)
    except OursError:
        return None


def file_of(serial: int) -> bytes:
    """A file that no other serial number has; each seventh is no picture."""
    if serial % 7 == 0:
        return BAD + str(serial).encode()
    out = io.BytesIO()
    Image.new("RGB", (48, 48), (serial >> 16, (serial >> 8) & 255, serial & 255)).save(out, "PNG")
    return out.getvalue()


def options_of(version: int) -> dict[str, Any]:
    """Options that show in the result; odd versions change the format, and with it the name."""
    size = version + 1
    resize = {"task": "resize", "width": size, "height": size, "enlarge": True}
    return {"tasks": [resize], "format": "jpeg" if version % 2 else "keep"}


def etag_of(data: bytes) -> str:
    """The etag that the store gives."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def plain(options: dict[str, Any]) -> str:
    """Options that mean the same are the same text."""
    return engine.load_options(options).model_dump_json()


@dataclass
class Lease:
    """An attempt at an image (number 0: at a ZIP), as its message said."""

    job: str
    number: int
    revision: int
    attempt: Attempt | None
    excused: bool = False
    """There was an outage while it was held."""
    blamed: bool = False
    """It ended by a fault of its own, which may be counted."""


@dataclass
class Upload:
    """What somebody has sent or wants to send, by the job's token."""

    token: str
    files: dict[int, tuple[str, set[str]]] = field(default_factory=dict)
    """By number: the name, and the etags of what was ever sent for it."""
    options: str = ""
    links: dict[int, str] = field(default_factory=dict)
    """By number: the key that a presigned PUT may store."""


class World:
    """The flow with all of its functions, one step at a time."""

    def __init__(self, url: str) -> None:
        self.servers = Servers()
        self.settings = small_settings(url)
        self.database = SteppedDatabase(url, self.servers)
        with self.database.transaction():
            pass  # it makes the tables
        self.look = Look(url)
        self.reset()

    def leave(self) -> None:
        """Close its connections."""
        self.look.close()
        self.database.close()

    def reset(self) -> None:
        """Begin anew."""
        clean(self.database)
        self.servers.away.clear()
        self.objects = SteppedObjects(self.servers, self.database)
        self.objects.watch = self._watch
        self.stream = SteppedStream(self.servers)
        self.own = Services(settings=self.settings, database=self.database, objects=self.objects, publisher=self.stream)
        self.clock = self.number = 0
        self.serial = 0
        self.contents: dict[str, bytes] = {}
        self.history: dict[tuple[str, str], list[tuple[int, str]]] = {}
        """By bucket and key: when people stored which etag there."""
        self.taken_out: dict[tuple[str, str], int] = {}
        """By bucket and key: when people took a file away."""
        self.attempts: list[Attempt] = []
        self.leases: dict[str, Lease] = {}
        self.uploads: dict[str, Upload] = {}
        self.deleted: set[str] = set()
        """Tokens of jobs that people deleted."""
        self.expired: dict[str, int] = {}
        """By the ids of jobs that have expired: when that was seen first."""
        self.old_messages: list[tuple[str, dict[str, Any]]] = []
        self.harm: list[str] = []
        self.began: dict[int, int] = {}
        self.current: Attempt | None = None
        self.check: Callable[[], None] = lambda: None
        """Called now and then while everything comes to rest."""

    def token_hex(self, size: int) -> str:
        """In place of a random number: the next one."""
        self.number += 1
        name = f"{self.number:0{size * 2}x}"
        if size == LEASE_BYTES:
            attempt = greenlet.getcurrent().attempt
            self.leases[name] = Lease(*attempt.about, attempt)
        return name

    # ---- processes ------------------------------------------------------------------------------------------------
    def begin(
        self,
        name: str,
        run: Callable[[], Any],
        stop: int | None = None,
        fault: tuple[int, str] | None = None,
        then: Callable[[Attempt], None] | None = None,
        about: Any = (),
    ) -> Attempt:
        """Begin a use case in a process of its own."""
        attempt = Attempt(name, run)
        attempt.then, attempt.about = then, about
        self.began[id(attempt)] = self.clock
        self.attempts.append(attempt)
        self.go(attempt, stop, fault)
        return attempt

    def go(self, attempt: Attempt, stop: int | None = None, fault: tuple[int, str] | None = None) -> None:
        """Let it go on."""
        self.current = attempt
        attempt.hindered |= bool(self.servers.away)
        attempt.go(stop, fault)
        if attempt.ended:
            self._ended(attempt)

    def kill(self, attempt: Attempt, *, excused: bool = False) -> None:
        """Its process dies; with ``excused`` by a power cut, which is nobody's fault."""
        attempt.kill()
        self.attempts.remove(attempt)
        for lease in self.leases.values():
            if lease.attempt is attempt:
                lease.blamed |= not (excused or lease.excused)

    def _ended(self, attempt: Attempt) -> None:
        self.attempts.remove(attempt)
        error = attempt.error
        if attempt.dead:
            for lease in self.leases.values():
                if lease.attempt is attempt:
                    lease.blamed |= not lease.excused
            return
        if isinstance(error, OursError):
            for lease in self.leases.values():
                if lease.attempt is attempt:
                    lease.blamed = True
        elif error is not None and not isinstance(error, Problem):
            raise error
        if attempt.then:
            attempt.then(attempt)
        if not attempt.hindered:
            self._expect_no_lease(attempt)

    def _expect_no_lease(self, attempt: Attempt) -> None:
        rows = self.look.rows(
            "SELECT lease FROM images WHERE lease IS NOT NULL UNION SELECT lease FROM jobs WHERE lease IS NOT NULL"
        )
        held = {lease for (lease,) in rows}
        self.harm += [
            f"{attempt} has ended and left its lease {name}"
            for name, lease in self.leases.items()
            if lease.attempt is attempt and name in held
        ]

    def held(self) -> set[str]:
        """The leases in the rows."""
        sql = "SELECT lease FROM {} WHERE lease IS NOT NULL"
        rows = self.look.rows(f"{sql.format('images')} UNION {sql.format('jobs')}")
        return {lease for (lease,) in rows}

    def _watch(self, what: str, bucket: str, key: str, etag: str) -> None:
        """Nothing of ours is overwritten; a dropped file is deleted only after it was marked, and if it is no newer."""
        if what == "overwritten":
            if bucket != DROP and not key.startswith("drop") and key != MARKER and self.in_an_attempt():
                self.harm.append(f"{bucket}/{key} is overwritten")
        elif bucket == DROP and self.in_an_attempt() and not self._may_be_deleted(key, etag):
            self.harm.append(f"drop/{key} is deleted, and was never marked")

    def _may_be_deleted(self, key: str, etag: str) -> bool:
        folder, name = split_drop_key(key)
        stored, _ = self.history[DROP, key][-1]
        if name == OPTIONS_NAME:
            rows = self.look.rows("SELECT id, state, options_etag FROM jobs WHERE folder = :folder", folder=folder)
            return all(
                state == "expired" and its == etag and stored < self.expired.get(job, LONG) for job, state, its in rows
            )
        rows = self.look.rows(
            "SELECT j.id, i.state, token FROM images i JOIN jobs j ON j.id = job_id"
            " WHERE bucket = 'drop' AND key = :key AND etag = :etag AND j.state = 'expired' AND i.state <> 'removed'",
            key=key,
            etag=etag,
        )
        return any(
            (token in self.deleted or state in ("done", "failed")) and stored < self.expired.get(job, LONG)
            for job, state, token in rows
        )

    def in_an_attempt(self) -> bool:
        """Whether this is a function, and not somebody else."""
        return getattr(greenlet.getcurrent(), "attempt", None) is not None

    # ---- people ---------------------------------------------------------------------------------------------------
    def new_file(self) -> bytes:
        """The next file."""
        self.serial += 1
        data = file_of(self.serial)
        self.contents[etag_of(data)] = data
        return data

    def event(self, body: bytes, kind: str, owner: int) -> Event:
        """A call of somebody."""
        headers = Headers({"Content-Type": kind, CALLER_HEADER: f"192.0.2.{owner}", "Host": "localhost"})
        return Event(method="POST", path="/", query={}, headers=headers, stream=io.BytesIO(body))

    def post(self, names: list[str], version: int, owner: int, stop: Any, fault: Any) -> Attempt:
        """Somebody posts files in one request."""
        files = [(name, self.new_file()) for name in names]
        options = options_of(version)
        parts = [("tasks", None, json.dumps(options["tasks"]).encode()), ("format", None, options["format"].encode())]
        body = b""
        for name, filename, data in [*parts, *(("files", name, data) for name, data in files)]:
            shown = f'; filename="{filename}"' if filename else ""
            body += f'--b\r\nContent-Disposition: form-data; name="{name}"{shown}\r\n\r\n'.encode() + data + b"\r\n"
        event = self.event(body + b"--b--\r\n", "multipart/form-data; boundary=b", owner)

        def then(attempt: Attempt) -> None:
            if attempt.answer and not attempt.late:
                sent = {n: (name, {etag_of(data)}) for n, (name, data) in enumerate(files, 1)}
                self.uploads[attempt.answer.token] = Upload(attempt.answer.token, sent, plain(options))

        return self.begin("post", partial(receive, self.own, event), stop, fault, then)

    def order(self, names: list[str], version: int, owner: int, stop: Any, fault: Any) -> Attempt:
        """Somebody asks for links."""
        body = {"files": [{"name": name, "size": 100} for name in names], "options": options_of(version)}

        def then(attempt: Attempt) -> None:
            if attempt.answer:
                job = attempt.answer[0]
                upload = Upload(
                    job.token, {n: (name, set()) for n, name in enumerate(names, 1)}, plain(body["options"])
                )
                upload.links = {n: direct_key(job.id, n) for n in upload.files}
                self.uploads[job.token] = upload

        event = self.event(b"", "application/json", owner)
        return self.begin("order", partial(open_with_links, self.own, event, body), stop, fault, then)

    def put(self, upload: Upload, number: int, *, announced: bool) -> None:
        """Somebody stores a file by a link, also long after."""
        data = self.new_file()
        upload.files[number][1].add(etag_of(data))
        self.store(UPLOADS, upload.links[number], data, announced=announced)

    def drop(self, folder: str, name: str, *, same: bool, announced: bool) -> None:
        """Somebody drops a file; the ``same`` as last time at this place, or a new one."""
        key = f"{folder}/{name}" if folder else name
        before = self.history.get((DROP, key))
        data = self.contents[before[-1][1]] if same and before else self.new_file()
        self.store(DROP, key, data, announced=announced)

    def take_out(self, key: str) -> None:
        """Somebody takes a file out of the drop bucket."""
        self.objects.delete(DROP, [key])
        self.taken_out[DROP, key] = self.clock

    def set_options(self, folder: str, version: int, *, announced: bool) -> None:
        """Somebody writes a folder's options; version 0 is none that can be used."""
        data = json.dumps(options_of(version)).encode() if version else b"{"
        self.store(DROP, options_key(folder), data, announced=announced)

    def store(self, bucket: str, key: str, data: bytes, *, announced: bool) -> None:
        """An object is there, and perhaps the store tells of it."""
        self.objects.write(bucket, key, data, "image/png")
        self.history.setdefault((bucket, key), []).append((self.clock, etag_of(data)))
        if announced:
            self.stream.publish(f"objects.created.{bucket}", created_record(ObjectCreated(bucket=bucket, key=key)))

    def close(self, token: str, stop: Any, fault: Any) -> Attempt:
        """Somebody says that nothing more comes."""
        return self.begin("close", partial(close_job, self.own, token), stop, fault)

    def again(
        self, token: str, version: int | None, *, only_failed: bool, owner: int, stop: Any, fault: Any
    ) -> Attempt:
        """Somebody wants a job once more, with the same options or others."""
        asked: dict[str, Any] = {"images": "failed" if only_failed else "all"}
        if version is not None:
            asked["options"] = options_of(version)
        event = self.event(json.dumps(asked).encode(), "application/json", owner)

        def then(attempt: Attempt) -> None:
            if attempt.answer:
                new = attempt.answer.token
                self.uploads[new] = Upload(new, options=plain(asked["options"]) if version is not None else "")

        return self.begin("again", partial(open_again, self.own, token, event), stop, fault, then)

    def delete(self, token: str, stop: Any, fault: Any) -> Attempt:
        """Somebody deletes a job."""
        self.deleted.add(token)
        return self.begin("delete", partial(delete, self.own, token), stop, fault)

    # ---- messages -------------------------------------------------------------------------------------------------
    def deliver(self, subject: str, data: dict[str, Any], stop: Any = None, fault: Any = None) -> Attempt:
        """A message comes to its function, which may have it already."""
        kind = ".".join(subject.split(".")[:2])
        own = self.own
        run: Callable[[], Any] = {
            "images.waiting": lambda: process(own, data["job"], data["number"], data["revision"]),
            "jobs.complete": lambda: archive(own, data["job"], data["revision"]),
            "jobs.expired": lambda: _expire(own, data["job"]),
            "objects.created": lambda: _created(own, data),
        }[kind]

        def then(attempt: Attempt) -> None:
            if attempt.error is None:
                self._acknowledge(subject, data)
            elif isinstance(attempt.error, Problem) and attempt.error.status < 500:
                self.harm.append(f"{subject} is refused for good: {attempt.error.detail}")

        if (subject, data) not in self.old_messages:
            self.old_messages.append((subject, data))
        about = (data.get("job"), data.get("number", 0), data.get("revision", 0))
        return self.begin(f"{kind} {data}", run, stop, fault, then, about)

    def _acknowledge(self, subject: str, data: dict[str, Any]) -> None:
        there = self.stream.messages.get(subject, [])
        if data in there:
            there.remove(data)
        if not there:
            self.stream.messages.pop(subject, None)

    def waiting_messages(self) -> list[tuple[str, dict[str, Any]]]:
        """What the stream has."""
        return [(subject, data) for subject, them in self.stream.messages.items() for data in them]

    # ---- time -----------------------------------------------------------------------------------------------------
    def sweep(self, stop: Any = None, fault: Any = None) -> Attempt:
        """The sweep comes, in time."""
        self.look.rows("UPDATE sweeps SET swept_at = now()")
        return self.begin("sweep", partial(sweep, self.own), stop, fault)

    def minutes_pass(self) -> None:
        """What was sent is old, the store was not compared for long, and what nobody knows has had its grace."""
        self.look.rows(
            "UPDATE sweeps SET compared_at = '-infinity', comparing_until = NULL;"
            "UPDATE outbox SET created_at = created_at - interval '1 day';"
            "UPDATE images SET sent_at = sent_at - interval '1 day';"
            "UPDATE jobs SET sent_at = sent_at - interval '1 day'"
        )
        self.age_objects()

    def age_objects(self) -> None:
        """Every object is a day older, as the rows know it."""
        self.objects.age(DAY)
        self.look.rows(
            f"UPDATE images SET stored_at = stored_at - {DAY};"
            f"UPDATE jobs SET options_stored_at = options_stored_at - {DAY}"
        )

    def gap(self, *, power_cut: bool) -> None:
        """A day passes in which nothing is swept."""
        if power_cut:
            for attempt in list(self.attempts):
                self.kill(attempt, excused=True)
        for lease in self.leases.values():
            lease.excused = True
        day = "interval '1 day'"
        self.look.rows(f"UPDATE sweeps SET swept_at = swept_at - {day}, compared_at = compared_at - {day}")
        self.look.rows(f"UPDATE outbox SET created_at = created_at - {day}")
        columns = "created_at, progress_at, quiet_at, ready_at, expires_at, lease_until, sent_at"
        self.look.rows("UPDATE jobs SET " + ", ".join(f"{each} = {each} - {day}" for each in columns.split(", ")))
        columns = "updated_at, lease_until, sent_at"
        self.look.rows("UPDATE images SET " + ", ".join(f"{each} = {each} - {day}" for each in columns.split(", ")))
        self.age_objects()
        self.begin("sweep", partial(sweep, self.own))

    def lapse(self, lease: str) -> None:
        """A lease is not renewed in time."""
        found = self.leases[lease]
        holder_lives = found.attempt is not None and not found.attempt.ended
        found.blamed |= holder_lives or not found.excused
        for table in ("images", "jobs"):
            self.look.rows(f"UPDATE {table} SET lease_until = now() - interval '1 s' WHERE lease = :lease", lease=lease)

    def hour_is_over(self, token: str) -> None:
        """The job has been ready for an hour."""
        self.look.rows(
            "UPDATE jobs SET expires_at = now() - interval '1 s' WHERE token = :token AND state IN ('ready', 'failed')",
            token=token,
        )

    def folders_are_quiet(self) -> None:
        """Nothing has come for some time."""
        self.look.rows("UPDATE jobs SET quiet_at = now() - interval '1 s' WHERE quiet_at IS NOT NULL")

    def uploads_are_late(self) -> None:
        """No byte has come for UPLOAD_SECONDS. Who sleeps for so long while he stores what was posted is too late."""
        for attempt in self.attempts:
            attempt.late = True
        self.look.rows("UPDATE jobs SET progress_at = now() - interval '2 days'")

    def folders_are_old(self) -> None:
        """Folders have taken files for DROP_HOURS."""
        self.look.rows("UPDATE jobs SET created_at = created_at - interval '25 h' WHERE source = 'drop'")

    # ---- the end --------------------------------------------------------------------------------------------------
    def run_fairly(self, asleep: Attempt | None = None) -> None:
        """What happens sooner or later happens, until nothing changes; only no hour ends, and one process sleeps."""
        self.servers.away.clear()
        before, late = None, False
        for _ in range(60):
            for attempt in list(self.attempts):
                if attempt is not asleep:
                    self.go(attempt)
            self._deliver_all()
            now = self.fingerprint()
            if now == before:
                if late:
                    return
                late = True
                self.uploads_are_late()
            before = now
            self.folders_are_quiet()
            self.minutes_pass()
            for name in sorted(self.held()):
                self.lapse(name)
            self.sweep()
            self.check()
        raise AssertionError(f"it never comes to rest: {self.waiting_messages()}")

    def _deliver_all(self) -> None:
        for _ in range(100):
            waiting = self.waiting_messages()
            if not waiting:
                return
            for message in waiting:
                self.deliver(*message)
        raise AssertionError(f"messages without end: {self.waiting_messages()}")

    def fingerprint(self) -> Any:
        """Everything but times."""
        rows = [
            self.look.rows(f"SELECT {columns} ORDER BY 1, 2")
            for columns in (
                "id, state, revision, lease, archive_key, failures, options_hash, view_etag FROM jobs",
                "job_id, number, state, revision, lease, result_key, result_name, in_line, etag, view_etag FROM images",
                "key, job_id, bucket FROM ledger",
            )
        ]
        objects = [(place, stored.known.etag) for place, stored in self.objects.objects.items() if place[1] != MARKER]
        return rows, sorted(objects)


def _expire(own: Services, job: str) -> None:
    from countermark.jobs import endings

    endings.delete_objects(own, job)


def _created(own: Services, data: dict[str, Any]) -> None:
    for created in read_created(data):
        take_object(own, created.bucket, created.key)
