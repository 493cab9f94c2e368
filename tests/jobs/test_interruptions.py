"""A function sleeps or dies between any two of its steps while something else happens; then everything ends well.

The state machine plays the same pieces in any order; here the orders that matter most are tried one by one.
"""

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.jobs.checks import Checks, assert_nothing, bring_to_the_end
from tests.jobs.steps import AWAY, OURS, Attempt
from tests.jobs.world import World

Begin = Callable[[World, int], Attempt]
"""Begins a process and stops it after so many steps."""


def newest(world: World) -> str:
    """The token of the newest job that has not ended; the empty one if there is none."""
    sql = "SELECT token FROM jobs WHERE state NOT IN ('expired', 'gone') ORDER BY created_at DESC, id DESC LIMIT 1"
    return str(world.look.call(sql) or "0" * 32)


def deliver(world: World, kind: str, stop: int | None = None) -> Attempt:
    """The first message of a kind comes to its function."""
    message = next(each for each in world.waiting_messages() if each[0].startswith(kind))
    return world.deliver(*message, stop)


def deliver_all(world: World, kind: str) -> None:
    """Every message of a kind comes, and those that it brings; one that must wait is left."""
    left: set[str] = set()
    while waiting := [each for each in world.waiting_messages() if each[0].startswith(kind) and str(each) not in left]:
        if world.deliver(*waiting[0]).error:
            left.add(str(waiting[0]))


def posted(world: World, *names: str) -> None:
    world.post(list(names or ("a.png", "A.png", "a.jpg")), 1, 1, None, None)


def ordered(world: World) -> None:
    world.order(["a.png", "b.png"], 1, 1, None, None)
    (upload,) = world.uploads.values()
    world.put(upload, 1, announced=True)


def dropped(world: World) -> None:
    world.set_options("f", 1, announced=True)
    for name in ("a.png", "b.png"):
        world.drop("f", name, same=False, announced=True)
    deliver_all(world, "objects")


def marked(world: World) -> None:
    """All images of what has come are marked."""
    deliver_all(world, "objects")
    deliver_all(world, "images")
    world.folders_are_quiet()
    world.sweep()


def ready(world: World) -> None:
    marked(world)
    deliver_all(world, "jobs")


def after(*steps: Callable[[World], object]) -> Callable[[World], None]:
    """One after the other."""

    def run(world: World) -> None:
        for step in steps:
            step(world)

    return run


def expiring(world: World) -> None:
    world.hour_is_over(newest(world))
    world.sweep()


def replaced(world: World) -> None:
    world.drop("f", "a.png", same=False, announced=True)


def new_options(world: World) -> None:
    world.set_options("f", 2, announced=True)


def oldest(world: World) -> str:
    return str(world.look.call("SELECT token FROM jobs ORDER BY created_at, id LIMIT 1"))


def again(world: World, stop: int | None = None) -> Attempt:
    return world.again(newest(world), 2, only_failed=False, owner=2, stop=stop, fault=None)


BEFORE: dict[str, tuple[Callable[[World], None], Begin]] = {
    "post": (after(), lambda world, stop: world.post(["a.png", "A.png"], 1, 1, stop, None)),
    "order": (after(), lambda world, stop: world.order(["a.png"], 1, 1, stop, None)),
    "arrival": (ordered, lambda world, stop: deliver(world, "objects", stop)),
    "close": (ordered, lambda world, stop: world.close(newest(world), stop, None)),
    "mark an upload": (posted, lambda world, stop: deliver(world, "images", stop)),
    "mark what came by a link": (
        after(ordered, lambda world: deliver_all(world, "objects")),
        lambda world, stop: deliver(world, "images", stop),
    ),
    "mark the last": (lambda world: posted(world, "a.png"), lambda world, stop: deliver(world, "images", stop)),
    "mark a dropped one": (dropped, lambda world, stop: deliver(world, "images", stop)),
    "archive": (after(posted, marked), lambda world, stop: deliver(world, "jobs.complete", stop)),
    "archive a folder": (after(dropped, marked), lambda world, stop: deliver(world, "jobs.complete", stop)),
    "drop": (replaced, lambda world, stop: deliver(world, "objects", stop)),
    "replace": (after(dropped, ready, replaced), lambda world, stop: deliver(world, "objects", stop)),
    "replace early": (after(dropped, replaced), lambda world, stop: deliver(world, "objects", stop)),
    "change options": (after(dropped, ready, new_options), lambda world, stop: deliver(world, "objects", stop)),
    "expire": (after(posted, ready, expiring), lambda world, stop: deliver(world, "jobs.expired", stop)),
    "expire a folder": (after(dropped, ready, expiring), lambda world, stop: deliver(world, "jobs.expired", stop)),
    "expire a share": (
        after(
            posted,
            ready,
            lambda world: again(world),
            ready,
            lambda world: world.hour_is_over(oldest(world)),
            World.sweep,
        ),
        lambda world, stop: deliver(world, "jobs.expired", stop),
    ),
    "delete": (posted, lambda world, stop: world.delete(newest(world), stop, None)),
    "delete a folder": (dropped, lambda world, stop: world.delete(newest(world), stop, None)),
    "again": (after(posted, ready), lambda world, stop: again(world, stop)),
    "again of a folder": (after(dropped, ready), lambda world, stop: again(world, stop)),
    "sweep of an upload": (
        after(ordered, lambda world: world.stream.messages.clear(), World.minutes_pass),
        lambda world, stop: world.sweep(stop),
    ),
    "sweep of a folder": (
        after(dropped, ready, replaced, new_options, lambda world: world.stream.messages.clear(), World.minutes_pass),
        lambda world, stop: world.sweep(stop),
    ),
    "sweep of leases": (
        after(dropped, lambda world: world.kill(deliver(world, "images", 3)), lambda world: lapse(world)),
        lambda world, stop: world.sweep(stop),
    ),
}


def lapse(world: World) -> None:
    """Whoever holds a lease does not renew it."""
    rows = world.look.rows(
        "SELECT lease FROM images WHERE lease IS NOT NULL UNION SELECT lease FROM jobs WHERE lease IS NOT NULL"
    )
    for (lease,) in rows:
        world.lapse(lease)


def put(world: World) -> None:
    for upload in world.uploads.values():
        for number in upload.links:
            world.put(upload, number, announced=False)


def options_and_back(world: World) -> None:
    for version in (2, 1):
        world.set_options("f", version, announced=True)
        deliver_all(world, "objects")


MEANWHILE: dict[str, Callable[[World], object]] = {
    "nothing": after(),
    "it comes again": lambda world: world.old_messages and world.deliver(*world.old_messages[-1]),
    "its lease lapses": after(lapse, World.sweep),
    "a gap": lambda world: world.gap(power_cut=False),
    "a power cut": lambda world: world.gap(power_cut=True),
    "a file is replaced": lambda world: world.drop("f", "a.png", same=False, announced=True),
    "a file is replaced and seen": after(replaced, lambda world: deliver_all(world, "objects")),
    "a file is replaced and marked": after(replaced, marked),
    "a file is dropped as it was": lambda world: world.drop("f", "a.png", same=True, announced=True),
    "a file is taken out": lambda world: world.take_out("f/a.png"),
    "new options": lambda world: world.set_options("f", 2, announced=False),
    "new options are seen": after(new_options, lambda world: deliver_all(world, "objects")),
    "new options are marked with": after(new_options, marked),
    "new options and back": options_and_back,
    "the first options": lambda world: world.set_options("f", 1, announced=True),
    "deleted": lambda world: world.delete(newest(world), None, None),
    "the hour": after(expiring, lambda world: deliver_all(world, "jobs.expired")),
    "again": again,
    "closed": lambda world: world.close(newest(world), None, None),
    "put": put,
    "too late": after(World.uploads_are_late, World.sweep),
    "a sweep": after(World.minutes_pass, World.sweep),
    "the stream is lost": lambda world: world.stream.messages.clear(),
}
AFTER = ["goes on", "goes on", "dies", AWAY, OURS]


def play(
    world: World, before: str, stop: int, meanwhile: list[str], *, settled: bool, then: str, at_last: str = "nothing"
) -> None:
    """One story."""
    world.reset()
    checks = Checks(world)
    prepare, begin = BEFORE[before]
    prepare(world)
    world.clock += 1
    assert_nothing(checks.after_a_step())
    attempt = begin(world, stop)
    for what in meanwhile:
        world.clock += 1
        assert_nothing(checks.after_a_step())
        MEANWHILE[what](world)
    world.clock += 1
    assert_nothing(checks.after_a_step())
    if settled:
        world.run_fairly(asleep=attempt)
        assert_nothing(checks.after_a_step())
    if attempt in world.attempts and then == "dies":
        world.kill(attempt)
    elif attempt in world.attempts:
        world.go(attempt, fault=None if then == "goes on" else (0, then))
    world.clock += 1
    assert_nothing(checks.after_a_step())
    MEANWHILE[at_last](world)
    bring_to_the_end(world, checks)


@settings(
    max_examples=int(os.environ.get("EXAMPLES", "40")),
    deadline=None,
    database=None,
    derandomize="EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
@given(
    before=st.sampled_from(sorted(BEFORE)),
    stop=st.integers(0, 16),
    meanwhile=st.lists(st.sampled_from(sorted(MEANWHILE)), min_size=1, max_size=2),
    settled=st.booleans(),
    then=st.sampled_from(AFTER),
    at_last=st.just("nothing") | st.sampled_from(sorted(MEANWHILE)),
)
def test_whatever_happens_meanwhile_everything_ends(
    world: World, before: str, stop: int, meanwhile: list[str], settled: bool, then: str, at_last: str
) -> None:
    play(world, before, stop, meanwhile, settled=settled, then=then, at_last=at_last)


@pytest.mark.slow
@pytest.mark.parametrize("before", ["expire a folder", "delete a folder"])
@pytest.mark.parametrize("what", ["a file is dropped as it was", "the first options"])
def test_what_is_dropped_as_it_was_while_its_job_ends_is_the_next_ones(world: World, before: str, what: str) -> None:
    for stop in range(17):
        play(world, before, stop, [what], settled=False, then="goes on")
