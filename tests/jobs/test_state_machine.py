"""Any order of what people, functions, faults and time do ends well: the real use cases on the real database.

It is the model of the design once more, with the code in its place: what it looks for is in checks.py. For hours:
make test-orders
"""

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.jobs.checks import Checks, assert_nothing, bring_to_the_end
from tests.jobs.steps import AWAY, CRASH, OURS
from tests.jobs.world import World

NAMES = st.sampled_from(["a.png", "b.png", "A.png", "a.jpg", "d/a.png", "d"])
FOLDERS = st.sampled_from(["f", "f", "f", "g", ""])
VERSIONS = st.integers(1, 3)
RARELY = st.sampled_from([False, False, True])
OWNERS = st.integers(1, 2)
STOPS = st.one_of(st.none(), st.integers(0, 16))
FAULTS = st.one_of(st.none(), st.none(), st.tuples(st.integers(0, 16), st.sampled_from([CRASH, CRASH, AWAY, OURS])))
WHICH = st.integers(0, 1000)
SERVERS = st.sampled_from(["database", "objects", "stream"])


class Flow(RuleBasedStateMachine):
    """What can happen."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.world.reset()
        self.checks = Checks(self.world)

    @precondition(lambda self: self.few_jobs())
    # ---- people ---------------------------------------------------------------------------------------------------
    @rule(names=st.lists(NAMES, min_size=1, max_size=3), version=VERSIONS, owner=OWNERS, stop=STOPS, fault=FAULTS)
    def post(self, names: list[str], version: int, owner: int, stop: Any, fault: Any) -> None:
        self.world.post(names, version, owner, stop, fault)

    @precondition(lambda self: self.few_jobs())
    @rule(names=st.lists(NAMES, min_size=1, max_size=3), version=VERSIONS, owner=OWNERS, stop=STOPS, fault=FAULTS)
    def order(self, names: list[str], version: int, owner: int, stop: Any, fault: Any) -> None:
        self.world.order(names, version, owner, stop, fault)

    @precondition(lambda self: self.links())
    @rule(which=WHICH, announced=st.booleans())
    def put(self, which: int, announced: bool) -> None:
        upload, number = pick(self.links(), which)
        self.world.put(upload, number, announced=announced)

    @rule(folder=FOLDERS, name=NAMES, same=st.booleans(), announced=st.sampled_from([True, True, False]))
    def drop(self, folder: str, name: str, same: bool, announced: bool) -> None:
        self.world.drop(folder, name, same=same, announced=announced)

    @rule(folder=FOLDERS, version=st.integers(0, 3), announced=st.booleans())
    def set_options(self, folder: str, version: int, announced: bool) -> None:
        self.world.set_options(folder, version, announced=announced)

    @precondition(lambda self: self.dropped())
    @rule(which=WHICH)
    def take_out(self, which: int) -> None:
        self.world.take_out(pick(self.dropped(), which))

    @precondition(lambda self: self.world.uploads)
    @rule(which=WHICH, stop=STOPS, fault=FAULTS)
    def close(self, which: int, stop: Any, fault: Any) -> None:
        self.world.close(pick(sorted(self.world.uploads), which), stop, fault)

    @precondition(lambda self: self.tokens() and self.few_jobs())
    @rule(
        which=WHICH,
        version=st.none() | VERSIONS,
        only_failed=st.sampled_from([False, False, True]),
        owner=OWNERS,
        stop=STOPS,
        fault=FAULTS,
    )
    def again(self, which: int, version: int | None, only_failed: bool, owner: int, stop: Any, fault: Any) -> None:
        self.world.again(
            pick(self.tokens(), which), version, only_failed=only_failed, owner=owner, stop=stop, fault=fault
        )

    @precondition(lambda self: self.tokens())
    @rule(which=WHICH, stop=STOPS, fault=FAULTS)
    def delete(self, which: int, stop: Any, fault: Any) -> None:
        self.world.delete(pick(self.tokens(), which), stop, fault)

    # ---- messages -------------------------------------------------------------------------------------------------
    @precondition(lambda self: self.world.stream.messages)
    @rule(which=WHICH, stop=STOPS, fault=FAULTS)
    def deliver_one(self, which: int, stop: Any, fault: Any) -> None:
        self.deliver(which, stop, fault)

    @precondition(lambda self: self.world.stream.messages)
    @rule(which=WHICH, stop=STOPS, fault=FAULTS)
    def deliver(self, which: int, stop: Any, fault: Any) -> None:
        self.world.deliver(*pick(self.world.waiting_messages(), which), stop, fault)

    @precondition(lambda self: self.world.stream.messages)
    @rule(count=st.integers(1, 6))
    def deliver_some(self, count: int) -> None:
        for _ in range(count):
            if messages := self.world.waiting_messages():
                self.world.deliver(*messages[0])

    @precondition(lambda self: self.world.old_messages)
    @rule(which=WHICH, stop=STOPS, fault=FAULTS)
    def deliver_again(self, which: int, stop: Any, fault: Any) -> None:
        self.world.deliver(*pick(self.world.old_messages, which), stop, fault)

    @precondition(lambda self: self.world.stream.messages)
    @rule(which=WHICH)
    def lose(self, which: int) -> None:
        self.world._acknowledge(*pick(self.world.waiting_messages(), which))

    @precondition(lambda self: self.world.stream.messages)
    @rule()
    def lose_all(self) -> None:
        self.world.stream.messages.clear()

    # ---- processes ------------------------------------------------------------------------------------------------
    @precondition(lambda self: self.world.attempts)
    @rule(which=WHICH, stop=STOPS, fault=FAULTS)
    def go_on(self, which: int, stop: Any, fault: Any) -> None:
        self.world.go(pick(self.world.attempts, which), stop, fault)

    @precondition(lambda self: self.world.attempts)
    @rule(which=WHICH)
    def kill(self, which: int) -> None:
        self.world.kill(pick(self.world.attempts, which))

    @precondition(lambda self: self.held())
    @rule(which=WHICH, swept=st.sampled_from([True, True, False]))
    def lapse(self, which: int, swept: bool) -> None:
        self.world.lapse(pick(self.held(), which))
        if swept:
            self.world.sweep()

    @precondition(lambda self: not self.world.servers.away)
    @rule(server=SERVERS)
    def leave(self, server: str) -> None:
        self.world.servers.away.add(server)

    @precondition(lambda self: self.world.servers.away)
    @rule()
    def come_back(self) -> None:
        self.world.servers.away.clear()

    # ---- time -----------------------------------------------------------------------------------------------------
    @rule(stop=STOPS, fault=FAULTS, minutes=st.booleans())
    def sweep(self, stop: Any, fault: Any, minutes: bool) -> None:
        if minutes:
            self.world.minutes_pass()
        self.world.sweep(stop, fault)

    @rule(power_cut=st.booleans())
    def gap(self, power_cut: bool) -> None:
        self.world.gap(power_cut=power_cut)

    @rule(what=st.sampled_from(["quiet", "quiet", "quiet", "late", "old"]))
    def time(self, what: str) -> None:
        {
            "quiet": self.world.folders_are_quiet,
            "late": self.world.uploads_are_late,
            "old": self.world.folders_are_old,
        }[what]()

    @precondition(lambda self: self.tokens())
    @rule(which=WHICH)
    def hour(self, which: int) -> None:
        self.world.hour_is_over(pick(self.tokens(), which))

    @precondition(lambda self: self.world.clock > 10)
    @rule()
    def rest(self) -> None:
        """Everything comes to rest, and then goes on."""
        self.world.run_fairly()
        assert_nothing(self.checks.after_a_step() + self.checks.at_rest())

    # ---- what must hold -------------------------------------------------------------------------------------------
    @invariant()
    def nothing_is_wrong(self) -> None:
        self.world.clock += 1
        assert_nothing(self.checks.after_a_step())

    def teardown(self) -> None:
        """Everything ends: what is under way, then hour after hour."""
        try:
            bring_to_the_end(self.world, self.checks)
        finally:
            for attempt in list(self.world.attempts):
                self.world.kill(attempt)

    # ---- what there is --------------------------------------------------------------------------------------------
    def links(self) -> list[Any]:
        return [(upload, number) for upload in self.world.uploads.values() for number in upload.links]

    def dropped(self) -> list[str]:
        return sorted(
            key
            for bucket, key in self.world.objects.objects
            if bucket == "drop" and not key.endswith("countermark.json")
        )

    def tokens(self) -> list[str]:
        return [job.token for job in self.checks.jobs.values()]

    def few_jobs(self) -> bool:
        return sum(job.state not in ("expired", "gone") for job in self.checks.jobs.values()) < 3

    def held(self) -> list[str]:
        rows = [*self.checks.jobs.values(), *self.checks.images]
        return sorted(row["lease"] for row in rows if row["lease"])


def pick(things: Any, which: int) -> Any:
    """One of them."""
    return things[which % len(things)]


def test_everything_ends_and_nothing_is_lost(world: World) -> None:
    Flow.world = world
    examples, steps = int(os.environ.get("EXAMPLES", "30")), int(os.environ.get("STEPS", "25"))
    run_state_machine_as_test(
        Flow,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            derandomize="EXAMPLES" not in os.environ,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )
