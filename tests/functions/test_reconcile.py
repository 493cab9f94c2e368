"""The sweep: what was announced and lost is found, what is out of date made right, and what nobody knows deleted."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from countermark.http.problems import Unavailable
from countermark.jobs import archives, comparing, sweeping
from countermark.jobs.keys import direct_key, view_archive
from countermark.servers.objects import Refused
from countermark.services import Services

from functions.reconcile import handler, store
from functions.reconcile.store import COMPARE_SECONDS, MARKER, compare_store
from functions.reconcile.sweep import sweep
from functions.upload.links import open_with_links
from functions.watermark.process import process
from infra.project import STACK
from infra.stack import read_stack
from tests.functions.conftest import Call, ClientOf, Objects
from tests.jobs.made import (
    change,
    dropped,
    folder_job,
    image_row,
    job_row,
    picture,
    rows,
    sent,
    stored,
    taken,
    uploaded,
    value,
)


def age(own: Services, seconds: int) -> None:
    """Let every object be older, and the comparison be due."""
    own.objects.age(seconds)  # type: ignore[attr-defined]
    change(own, "UPDATE sweeps SET compared_at = '-infinity'")


def ready_folder(own: Services, *keys: str) -> Any:
    """A folder with its ZIP."""
    for key in keys:
        dropped(own, key)
    job = folder_job(own, keys[0].partition("/")[0])
    for number in range(1, len(keys) + 1):
        process(own, job.id, number, 1)
    change(own, "UPDATE jobs SET state = 'archiving'")
    archiving = archives.take(own, job.id, 0)
    assert archiving is not None
    own.objects.write("results", archiving.key, b"ZIP", "application/zip")
    assert archives.finish(own, archiving, 3)
    return job


def seen(own: Services) -> dict[str, str]:
    """The visible tree: keys with ETags."""
    tree = [item for item in own.objects.list("results") if item.key.startswith("drop")]
    return {item.key: item.etag for item in tree}


# ---- what was lost ------------------------------------------------------------------------------------------------


def test_the_store_is_compared_now_and_then(own: Services) -> None:
    own.objects.write("drop", "wedding/a.png", picture(), "image/png")
    assert compare_store(own)["dropped"] == 1
    own.objects.write("drop", "wedding/b.png", picture(), "image/png")
    assert compare_store(own) == {}
    change(own, "UPDATE sweeps SET compared_at = now() - interval '29 s'")
    assert compare_store(own) == {}
    change(own, "UPDATE sweeps SET compared_at = now() - interval '31 s'")
    assert compare_store(own)["dropped"] == 1
    assert [name for (name,) in rows(own, "SELECT name FROM images ORDER BY number")] == ["a.png", "b.png"]


def test_sweeps_go_on_beside_a_comparison_that_takes_long(own: Services, store: Objects) -> None:
    """In a line behind it they would be late, and the clocks of jobs would stand still as in an outage."""
    list_all, listings = store.list, []
    job = uploaded(own, "a.png")
    taken(own, job.id)

    def slow(bucket: str, prefix: str = "") -> Any:
        listings.append(bucket)
        change(own, "UPDATE images SET lease_until = now() - interval '1 s' WHERE lease IS NOT NULL")
        sweep(own)
        return list_all(bucket, prefix)

    store.list = slow  # type: ignore[method-assign]
    sweep(own)
    assert listings == ["drop", "uploads", "results"]
    assert value(own, "SELECT failures FROM images") == 1
    reconcile = read_stack(STACK, {}).functions["reconcile"]
    assert reconcile.concurrency > 1


def test_a_comparison_whose_process_died_is_begun_again(own: Services) -> None:
    assert comparing.begin(own, COMPARE_SECONDS)
    own.objects.write("drop", "wedding/a.png", picture(), "image/png")
    comparing.renew(own)
    assert compare_store(own) == {}
    change(own, "UPDATE sweeps SET comparing_until = now() - interval '1 s'")
    assert compare_store(own)["dropped"] == 1


def test_a_comparison_that_fails_is_tried_again_in_its_time(own: Services, store: Objects) -> None:
    def away(*_: object) -> None:
        raise Unavailable

    list_all, store.list = store.list, away  # type: ignore[method-assign,assignment]
    with pytest.raises(Unavailable):
        compare_store(own)
    store.list = list_all  # type: ignore[method-assign]
    assert compare_store(own) == {}
    age(own, 0)
    assert compare_store(own)["dropped"] == 0


def test_a_file_that_is_gone_since_it_was_listed_makes_no_job(own: Services, store: Objects) -> None:
    own.objects.write("drop", "wedding/a.png", picture(), "image/png")
    list_all = store.list

    def and_delete(bucket: str, prefix: str = "") -> Any:
        listed = list(list_all(bucket, prefix))
        store.delete("drop", ["wedding/a.png"])
        return iter(listed)

    store.list = and_delete  # type: ignore[method-assign,assignment]
    assert compare_store(own)["dropped"] == 0
    assert rows(own, "SELECT id FROM jobs") == []


def test_a_dropped_file_that_was_replaced_without_a_word_is_found(own: Services) -> None:
    dropped(own, "wedding/a.png")
    own.objects.write("drop", "wedding/a.png", picture((30, 20)), "image/png")
    assert compare_store(own)["dropped"] == 1
    image = image_row(own, folder_job(own, "wedding").id)
    assert (image.revision, image.etag) == (2, own.objects.stat("drop", "wedding/a.png").etag)
    age(own, 0)
    assert compare_store(own)["dropped"] == 0


def test_options_that_came_without_a_word_are_found(own: Services) -> None:
    dropped(own, "wedding/a.png")
    own.objects.write("drop", "wedding/countermark.json", b'{"format": "png"}', "application/json")
    assert compare_store(own)["dropped"] == 1
    job = folder_job(own, "wedding")
    assert json.loads(value(own, "SELECT options::text FROM jobs")) == {"format": "png"}
    assert image_row(own, job.id).revision == 2
    age(own, 0)
    assert compare_store(own)["dropped"] == 0


def test_options_that_were_taken_away_are_in_force_no_more(own: Services) -> None:
    own.objects.write("drop", "wedding/countermark.json", b'{"format": "png"}', "application/json")
    dropped(own, "wedding/a.png")
    own.objects.delete("drop", ["wedding/countermark.json"])
    assert compare_store(own)["dropped"] == 1
    assert value(own, "SELECT options::text FROM jobs") == "{}"
    assert image_row(own, folder_job(own, "wedding").id).revision == 2
    age(own, 0)
    assert compare_store(own)["dropped"] == 0


@pytest.mark.parametrize("options", [b"{", b'{"format": "nothing"}', b" " * 1024 * 1025])
def test_options_that_are_wrong_are_told_once_and_the_folder_is_quiet_anew(own: Services, options: bytes) -> None:
    dropped(own, "wedding/a.png")
    change(own, "UPDATE jobs SET quiet_at = now()")
    own.objects.write("drop", "wedding/countermark.json", options, "application/json")
    assert compare_store(own)["dropped"] == 1
    ((etag, problem, is_later),) = rows(own, "SELECT options_etag, options_problem, quiet_at > now() FROM jobs")
    assert etag == own.objects.stat("drop", "wedding/countermark.json").etag
    assert "countermark.json" in problem
    assert is_later
    age(own, 0)
    assert compare_store(own)["dropped"] == 0


def test_options_that_the_store_does_not_give_are_told(own: Services, store: Objects) -> None:
    def refuse() -> None:
        raise Refused("no")

    own.objects.write("drop", "wedding/countermark.json", b"{}", "application/json")
    store.before["read"] = refuse
    dropped(own, "wedding/a.png")
    told = rows(own, "SELECT options::text, options_problem FROM jobs")
    assert told == [["{}", "countermark.json can't be read: The object store refuses it: no."]]


def test_options_that_came_later_and_the_store_does_not_give_are_told_once(own: Services, store: Objects) -> None:
    def refuse() -> None:
        raise Refused("no")

    dropped(own, "wedding/a.png")
    own.objects.write("drop", "wedding/countermark.json", b"{}", "application/json")
    store.before["read"] = refuse
    assert compare_store(own)["dropped"] == 1
    assert value(own, "SELECT options_problem FROM jobs").startswith("countermark.json can't be read")
    age(own, 0)
    assert compare_store(own)["dropped"] == 0


def test_options_of_a_folder_without_files_are_deleted_in_time(own: Services) -> None:
    own.objects.write("drop", "empty/countermark.json", b"{}", "application/json")
    own.objects.write("drop", "used/countermark.json", b"{}", "application/json")
    age(own, own.settings.upload_seconds + 10)
    own.objects.write("drop", "new/countermark.json", b"{}", "application/json")
    own.objects.write("drop", "used/a.png", picture(), "image/png")
    counts = compare_store(own)
    assert (counts["options deleted"], counts["dropped"]) == (1, 1)
    assert stored(own, "drop") == ["new/countermark.json", "used/a.png", "used/countermark.json"]


def test_a_folder_whose_job_is_not_gone_holds_up_no_other_and_is_asked_for_once(own: Services, store: Objects) -> None:
    dropped(own, "a/a.png")
    change(own, "UPDATE jobs SET state = 'expired'")
    for number in range(9):
        own.objects.write("drop", f"a/{number}.png", picture(), "image/png")
    stat, asked = store.stat, []
    store.stat = lambda bucket, key: asked.append(key) or stat(bucket, key)  # type: ignore[method-assign,func-returns-value]
    own.objects.write("drop", "b/b.png", picture(), "image/png")
    assert compare_store(own)["dropped"] == 1
    assert folder_job(own, "b").state == "receiving"
    assert [key for key in asked if key.endswith(".png")] == ["a/0.png", "b/b.png"]


def test_an_original_that_came_by_a_link_without_a_word_is_found(own: Services, call: Call) -> None:
    files = [{"name": "a.png", "size": 3}, {"name": "b.png", "size": 3}]
    job, _ = open_with_links(own, call("POST"), {"files": files})
    own.objects.write("uploads", direct_key(job.id, 2), b"12345", "image/png")
    assert compare_store(own)["arrived"] == 1
    image = image_row(own, job.id, 2)
    assert (image.state, image.bytes, image.etag) == ("waiting", 5, own.objects.stat("uploads", image.key).etag)
    age(own, 0)
    assert compare_store(own)["arrived"] == 0


# ---- what people see ----------------------------------------------------------------------------------------------


def test_a_tree_that_differs_from_the_rows_is_made_right(own: Services) -> None:
    job = ready_folder(own, "wedding/a.png", "wedding/b.png", "wedding/c.png")
    assert compare_store(own)["published"] == 1, "its ZIP"
    right = seen(own)
    assert set(right) == {view_archive("wedding"), *(f"drop/wedding/{name}.png" for name in "abc")}
    own.objects.delete("results", ["drop/wedding/a.png"])
    own.objects.write("results", "drop/wedding/b.png", b"an older one, late", "image/png")
    own.objects.write("results", "drop/wedding/old.png", b"nobody's", "image/png")
    own.objects.write("results", view_archive("wedding"), b"an older one, late", "application/zip")
    age(own, 0)
    assert compare_store(own)["published"] == 4
    assert seen(own) == right
    age(own, 0)
    assert compare_store(own)["published"] == 0
    assert job_row(own, job.id).view_etag == right[view_archive("wedding")]


def test_what_the_rows_do_not_know_to_be_published_is_published_once_more(own: Services) -> None:
    job = ready_folder(own, "wedding/a.png")
    compare_store(own)
    change(own, "UPDATE images SET view_etag = NULL")
    change(own, "UPDATE jobs SET view_etag = NULL")
    age(own, 0)
    assert compare_store(own)["published"] == 2
    assert image_row(own, job.id).view_etag == own.objects.stat("results", "drop/wedding/a.png").etag
    age(own, 0)
    assert compare_store(own)["published"] == 0


def test_what_is_there_and_in_no_list_is_made_anew(own: Services, store: Objects) -> None:
    """As in a store that has lost a directory's entry: only a new object makes it again."""
    ready_folder(own, "wedding/a.png", "wedding/b.png")
    compare_store(own)
    right, list_all, delete = seen(own), store.list, store.delete
    hidden = {"drop/wedding/a.png", view_archive("wedding")}

    def find(bucket: str, keys: Iterable[str]) -> None:
        hidden.difference_update(keys := list(keys))
        delete(bucket, keys)

    store.list = lambda *given: (item for item in list_all(*given) if item.key not in hidden)  # type: ignore[method-assign,assignment]
    store.delete = find  # type: ignore[method-assign]
    age(own, 0)
    assert compare_store(own)["published"] == 2
    assert seen(own) == right
    age(own, 0)
    assert compare_store(own)["published"] == 0


def test_nothing_is_published_of_a_folder_whose_hour_is_over(own: Services) -> None:
    ready_folder(own, "wedding/a.png")
    own.objects.delete("results", ["drop/wedding/a.png"])
    change(own, "UPDATE jobs SET expires_at = now()")
    assert compare_store(own)["published"] == 0


# ---- what nobody knows --------------------------------------------------------------------------------------------


def test_what_nobody_knows_is_deleted_after_a_grace(own: Services) -> None:
    job = uploaded(own, "a.png")
    process(own, job.id, 1, 1)
    known = stored(own, "uploads"), stored(own, "results")
    own.objects.write("uploads", "posted/nobody/1", b"1", "image/png")
    own.objects.write("results", "nobody/1.1.x", b"1", "image/png")
    counts = compare_store(own)
    assert (counts["unknown in uploads"], counts["unknown in results"]) == (0, 0)
    age(own, 58)
    counts = compare_store(own)
    assert (counts["unknown in uploads"], counts["unknown in results"]) == (0, 0)
    age(own, 10)
    counts = compare_store(own)
    assert (counts["unknown in uploads"], counts["unknown in results"]) == (1, 1)
    assert (stored(own, "uploads"), [key for key in stored(own, "results") if key != MARKER]) == known


def test_what_is_dropped_is_never_deleted_for_being_unknown(own: Services) -> None:
    own.objects.write("drop", ".hidden", b"1", "image/png")
    age(own, 10_000)
    compare_store(own)
    assert stored(own, "drop") == [".hidden"]


def test_what_is_written_while_the_store_is_listed_stays(own: Services, store: Objects) -> None:
    """Its row was there before it: who lists first and asks the rows then sees both."""
    job = uploaded(own, *["a.png"] * 9)
    list_all, written = store.list, []

    def written_meanwhile(bucket: str, prefix: str = "") -> Any:
        if bucket == "results":
            written.append(taken(own, job.id, len(written) + 1).result_key)
            own.objects.write("results", written[-1], b"just now", "image/png")
            store.age(100)
        return list_all(bucket, prefix)

    store.list = written_meanwhile  # type: ignore[method-assign]
    assert compare_store(own)["unknown in results"] == 0
    assert written
    assert {item.key for item in list_all("results")} == {*written, MARKER}


def test_what_the_store_does_not_delete_keeps_nothing_else(
    own: Services, store: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functions.reconcile.store.BATCH", 1)
    delete = store.delete

    def refuse(bucket: str, keys: Iterable[str]) -> None:
        if "posted/nobody/1" in (keys := list(keys)):
            raise Refused("AccessDenied")
        delete(bucket, keys)

    store.delete = refuse  # type: ignore[method-assign]
    for bucket, key in (("uploads", "posted/nobody/1"), ("uploads", "posted/nobody/2"), ("results", "nobody/1.1.x")):
        own.objects.write(bucket, key, b"1", "image/png")
    age(own, 100)
    counts = compare_store(own)
    assert (counts["unknown in uploads"], counts["unknown in results"]) == (1, 1)
    assert stored(own, "uploads") == ["posted/nobody/1"]


def test_many_are_asked_for_in_batches(own: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "BATCH", 2)
    for number in range(5):
        own.objects.write("uploads", f"posted/nobody/{number}", b"1", "image/png")
    age(own, 100)
    assert compare_store(own)["unknown in uploads"] == 5
    assert stored(own, "uploads") == []


def test_after_a_restore_nothing_unknown_is_deleted_until_somebody_agrees(own: Services) -> None:
    for _ in range(3):
        age(own, 0)
        compare_store(own)
    assert json.loads(own.objects.read("results", MARKER, limit=100)[0]) == {"generation": 3}
    assert value(own, "SELECT generation FROM sweeps") == 3
    change(own, "UPDATE sweeps SET generation = 2")
    own.objects.write("uploads", "posted/since/1", b"1", "image/png")
    age(own, 100)
    assert compare_store(own)["unknown in uploads"] == 0
    assert stored(own, "uploads") == ["posted/since/1"]
    assert value(own, "SELECT generation FROM sweeps") == 2
    assert json.loads(own.objects.read("results", MARKER, limit=100)[0]) == {"generation": 3}
    own.objects.delete("results", [MARKER])
    age(own, 0)
    assert compare_store(own)["unknown in uploads"] == 1
    assert json.loads(own.objects.read("results", MARKER, limit=100)[0]) == {"generation": 3}


@pytest.mark.parametrize("mark", [b"", b"{}", b"[]", b'{"generation": "x"}'])
def test_with_a_mark_that_can_not_be_read_nothing_unknown_is_deleted(own: Services, mark: bytes) -> None:
    own.objects.write("results", MARKER, mark, "application/json")
    own.objects.write("uploads", "posted/since/1", b"1", "image/png")
    age(own, 100)
    assert compare_store(own)["unknown in uploads"] == 0
    assert stored(own, "uploads") == ["posted/since/1"]


def test_what_the_ledger_has_is_known_by_bucket(own: Services) -> None:
    job = uploaded(own, "a.png")
    key = f"posted/{job.id}/1"
    assert comparing.known_keys(own, "uploads", [key, "another"]) == {key}
    assert comparing.known_keys(own, "results", [key]) == set()
    assert abs(comparing.now(own) - float(value(own, "SELECT extract(epoch FROM clock_timestamp())"))) < 5


# ---- the whole ----------------------------------------------------------------------------------------------------


def test_a_sweep_does_everything(own: Services, client_of: ClientOf) -> None:
    lapsed, over = uploaded(own, "a.png"), uploaded(own, "b.png")
    taken(own, lapsed.id)
    change(own, "UPDATE images SET lease_until = now() - interval '1 s' WHERE lease IS NOT NULL")
    change(own, "UPDATE jobs SET state = 'ready', expires_at = now() WHERE id = :id", id=over.id)
    own.objects.write("drop", "wedding/a.png", picture(), "image/png")
    change(
        own,
        "INSERT INTO outbox (subject, data, created_at) VALUES ('jobs.expired.x', '{}', now() - interval '1 minute')"
        " RETURNING id",
    )
    change(
        own,
        "INSERT INTO jobs (id, token, source, owner, state, options, expires_at)"
        " VALUES ('old', 'old', 'upload', 'x', 'gone', '{}', now() - interval '2 days') RETURNING id",
    )
    quiet = uploaded(own, "c.png")
    change(own, "UPDATE images SET state = 'failed', in_line = false WHERE job_id = :id", id=quiet.id)
    answer = client_of(handler).post("/", data=b"{}", headers={"ce-type": "reconcile.sweep"})
    assert answer.status_code == 204
    assert value(own, "SELECT failures FROM images WHERE job_id = :id", id=lapsed.id) == 1
    assert [job_row(own, job.id).state for job in (over, quiet)] == ["expired", "archiving"]
    assert folder_job(own, "wedding").state == "receiving"
    assert "jobs.expired.x" in sent(own)
    assert rows(own, "SELECT id FROM jobs WHERE id = 'old'") == []


def test_a_store_that_is_away_keeps_the_rows_from_nothing(own: Services, store: Objects) -> None:
    def away(*_: object) -> None:
        raise Unavailable

    over = uploaded(own, "a.png")
    change(own, "UPDATE jobs SET state = 'ready', expires_at = now()")
    store.list = away  # type: ignore[method-assign,assignment]
    sweep(own)
    assert job_row(own, over.id).state == "expired"


@pytest.mark.parametrize("step", ["take_back_leases", "settle_jobs", "expire_jobs", "resend", "purge"])
def test_a_step_that_fails_keeps_no_other_from_being_done(
    own: Services, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Services) -> None:
        raise KeyError(step)

    monkeypatch.setattr(sweeping, step, fail)
    own.objects.write("drop", "wedding/a.png", picture(), "image/png")
    sweep(own)
    assert folder_job(own, "wedding").state == "receiving"


def test_nobody_calls_it(client_of: ClientOf) -> None:
    answer = client_of(handler).post("/")
    assert answer.status_code == 405
    assert "nobody needs to call this" in answer.text
