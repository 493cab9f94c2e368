"""Messages become calls of functions, and what these answer decides what becomes of the messages."""

import json
import signal
import time
from functools import partial
from itertools import pairwise

import pytest
from countermark.jobs.messages import IMAGES_WAITING, JOBS_COMPLETE, RECONCILE_SWEEP

from infra.connector.streams import COUNTERMARK
from tests.connector.flow import ACK_WAIT, SECONDS_ALLOWED, SLOTS, Flow
from tests.connector.functions import Functions, Reply, problem, somebody
from tests.own_connector import Connector
from tests.platform_driver import wait_until


def gaps(functions: Functions, about: str) -> list[float]:
    """Seconds between the calls with a message."""
    return [after.time - before.time for before, after in pairwise(functions.calls_with(about))]


def is_gone(flow: Flow, about: str) -> bool:
    """Whether the stream has a message no more."""
    return about not in flow.stream.subjects(COUNTERMARK)


def test_a_message_is_a_cloud_event(flow: Flow) -> None:
    about = flow.send(IMAGES_WAITING, "event", 7, 0)
    wait_until(lambda: is_gone(flow, about), 10)
    (call,) = flow.functions.calls_with(about)
    assert call.function == "watermark"
    assert json.loads(call.body) == {"version": 1, "job": "event"}
    told = {name: value for name, value in call.headers.items() if name.startswith("ce-")}
    assert told["ce-type"] == "images.waiting"
    assert told["ce-specversion"] == "1.0"
    assert told["ce-subject"] == about
    assert {"ce-id", "ce-source", "ce-time"} <= set(told)
    assert call.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("status", [200, 204])
def test_what_is_done_comes_once(flow: Flow, status: int) -> None:
    about = f"{IMAGES_WAITING}.done{status}.1.0"
    flow.functions.answer(about, Reply(status=status))
    before = flow.running.deliveries("watermark", "done")
    flow.send(IMAGES_WAITING, f"done{status}", 1, 0)
    wait_until(lambda: is_gone(flow, about), 10)
    time.sleep(ACK_WAIT + 0.5)
    assert len(flow.functions.calls_with(about)) == 1
    assert flow.running.deliveries("watermark", "done") == before + 1


def test_what_a_function_refuses_is_a_dead_letter_with_the_reason(flow: Flow) -> None:
    about = f"{JOBS_COMPLETE}.refused.0"
    flow.functions.answer(about, problem(422, "never: ночь\nand more"))
    before = [flow.running.metric('connector_dead_letters_total{function="archive"}')]
    before.append(flow.running.deliveries("archive", "dead"))
    flow.send(JOBS_COMPLETE, "refused", 0)
    data, reason = flow.stream.dead_letter(about)
    assert json.loads(data) == {"version": 1, "job": "refused"}
    assert reason == "422: never: ночь\nand more"
    wait_until(lambda: is_gone(flow, about), 10)
    assert len(flow.functions.calls_with(about)) == 1
    after = [flow.running.metric('connector_dead_letters_total{function="archive"}')]
    after.append(flow.running.deliveries("archive", "dead"))
    assert [new - old for old, new in zip(before, after, strict=True)] == [1, 1]


def test_a_long_reason_is_cut(flow: Flow) -> None:
    about = f"{JOBS_COMPLETE}.long.0"
    flow.functions.answer(about, problem(400, "x" * 10_000_000))
    flow.send(JOBS_COMPLETE, "long", 0)
    assert "400: xxx" in flow.stream.dead_letter(about)[1]
    assert len(flow.stream.dead_letter(about)[1]) <= 3000


def test_an_error_of_a_function_comes_again_later_and_later(flow: Flow) -> None:
    about = f"{JOBS_COMPLETE}.error.0"
    flow.functions.answer(about, problem(500), problem(500), Reply())
    before = flow.running.deliveries("archive", "retry")
    flow.send(JOBS_COMPLETE, "error", 0)
    wait_until(lambda: is_gone(flow, about), 15)
    assert gaps(flow.functions, about) == pytest.approx([1, 2], abs=0.5)
    assert flow.running.deliveries("archive", "retry") == before + 2


@pytest.mark.parametrize(
    ("job", "reply"),
    [
        ("unavailable", problem(503)),
        ("full", problem(429)),
        ("router", somebody(404)),
        ("proxy", somebody(502)),
        ("crash", somebody(500)),
        ("elsewhere", Reply(status=307, location="/archive")),
    ],
)
def test_what_is_not_a_functions_word_is_held_and_never_a_dead_letter(flow: Flow, job: str, reply: Reply) -> None:
    about = f"{JOBS_COMPLETE}.{job}.0"
    flow.functions.answer(about, *[reply] * 4, Reply())
    before = flow.running.metric('connector_dead_letters_total{function="archive"}')
    flow.send(JOBS_COMPLETE, job, 0)
    wait_until(lambda: is_gone(flow, about), 15)
    assert gaps(flow.functions, about) == pytest.approx([0.2, 0.4, 0.8, 1.6], abs=0.5)
    assert flow.running.metric('connector_dead_letters_total{function="archive"}') == before


def test_no_answer_holds_a_message(own_flow: Flow) -> None:
    connector = own_flow.start_connector(FUNCTION_URL="http://127.0.0.1:1/{function}")
    about = own_flow.send(JOBS_COMPLETE, "away", 0)
    wait_until(lambda: connector.deliveries("archive", "hold") >= 3, 10)
    assert not is_gone(own_flow, about)


def test_held_messages_leave_their_slots_to_others(flow: Flow) -> None:
    flow.functions.answer(f"{IMAGES_WAITING}.held", problem(503))
    held = [flow.send(IMAGES_WAITING, "held", number, 0) for number in range(8 * SLOTS)]
    wait_until(lambda: len(flow.functions.calls_with(f"{IMAGES_WAITING}.held")) >= 2 * len(held), 20)
    sent = time.monotonic()
    about = flow.send(IMAGES_WAITING, "beside", 1, 0)
    wait_until(lambda: flow.functions.calls_with(about), 10)
    assert flow.functions.calls_with(about)[0].time - sent < 0.5
    flow.functions.answer(f"{IMAGES_WAITING}.held", Reply())
    wait_until(lambda: not any(each in flow.stream.subjects(COUNTERMARK) for each in held), 30)


def test_a_full_function_is_not_asked_all_the_time(own_flow: Flow) -> None:
    own_flow.functions.answer(IMAGES_WAITING, problem(429))
    own_flow.start_connector()
    own_flow.publisher.publish_all([(f"{IMAGES_WAITING}.full.{number}.0", {}) for number in range(500)])
    wait_until(lambda: own_flow.functions.calls, 10)
    before = len(own_flow.functions.calls_with(IMAGES_WAITING))
    time.sleep(3)
    assert len(own_flow.functions.calls_with(IMAGES_WAITING)) - before <= 10 * SLOTS


def test_a_slow_call_is_made_once(flow: Flow) -> None:
    about = f"{IMAGES_WAITING}.slow.1.0"
    flow.functions.answer(about, Reply(seconds=3 * ACK_WAIT))
    flow.send(IMAGES_WAITING, "slow", 1, 0)
    wait_until(lambda: is_gone(flow, about), 15)
    assert len(flow.functions.calls_with(about)) == 1


def test_a_call_that_takes_too_long_is_ended_and_held(own_flow: Flow) -> None:
    about = f"{IMAGES_WAITING}.hangs.1.0"
    own_flow.functions.answer(about, Reply(seconds=40), Reply())
    connector = own_flow.start_connector()
    own_flow.send(IMAGES_WAITING, "hangs", 1, 0)
    wait_until(lambda: is_gone(own_flow, about), 40)
    assert gaps(own_flow.functions, about) == pytest.approx([SECONDS_ALLOWED + 15], abs=1.5)
    assert connector.deliveries("watermark", "hold") == 1


def test_what_is_still_in_the_stream_is_not_stored_again(flow: Flow) -> None:
    about = f"{IMAGES_WAITING}.again.1.0"
    flow.functions.answer(about, problem(503), problem(503), Reply(seconds=1), Reply())
    flow.send(IMAGES_WAITING, "again", 1, 0)
    wait_until(lambda: flow.functions.calls_with(about), 10)
    while len(flow.functions.calls_with(about)) < 3:  # it waits, is worked on, is held
        flow.send(IMAGES_WAITING, "again", 1, 0)
        time.sleep(0.05)
    flow.send(IMAGES_WAITING, "again", 1, 0)
    wait_until(lambda: is_gone(flow, about), 10)
    assert len(flow.functions.calls_with(about)) == 3
    flow.send(IMAGES_WAITING, "again", 1, 0)
    wait_until(lambda: len(flow.functions.calls_with(about)) == 4, 10)


def test_a_fault_beside_one_message_ends_no_worker(own_flow: Flow) -> None:
    refused = f"{JOBS_COMPLETE}.refused"
    own_flow.functions.answer(refused, problem(400, "no"))
    connector = own_flow.start_connector(ACK_WAIT="1")
    own_flow.stream.ask(lambda stream: stream.delete_stream("DEAD_LETTERS"))
    for number in range(2 * SLOTS):  # a dead letter that can't be stored, for each worker
        own_flow.send(JOBS_COMPLETE, "refused", number)
    about = own_flow.send(JOBS_COMPLETE, "fine", 0)
    wait_until(lambda: is_gone(own_flow, about), 10)
    for number in range(2 * SLOTS):
        assert own_flow.stream.dead_letter(f"{refused}.{number}")[1] == "400: no"
    assert "Traceback" not in connector.log.read_text()


def test_what_can_not_even_be_posted_ends_no_worker(own_flow: Flow) -> None:
    label = "x" * 70  # longer than a name may have, which the client does not expect
    connector = own_flow.start_connector(FUNCTION_URL=f"http://{label}.example/{{function}}")
    for number in range(2 * SLOTS):
        own_flow.send(JOBS_COMPLETE, "nowhere", number)
    wait_until(lambda: connector.deliveries("archive", "hold") > 4 * SLOTS, 20)
    assert "a message that can't be posted" in connector.log.read_text()


def test_on_sigterm_calls_in_flight_are_finished_and_no_others_begin(own_flow: Flow) -> None:
    own_flow.functions.answer(JOBS_COMPLETE, Reply(seconds=2))
    connector = own_flow.start_connector()
    for number in range(3 * SLOTS):
        own_flow.send(JOBS_COMPLETE, "draining", number)
    wait_until(lambda: len(own_flow.functions.calls_with(JOBS_COMPLETE)) == SLOTS, 10)
    started = time.monotonic()
    connector.process.send_signal(signal.SIGTERM)
    assert connector.process.wait(15) == 0
    assert time.monotonic() - started < 5
    assert len(own_flow.functions.calls_with(JOBS_COMPLETE)) == SLOTS
    assert len(own_flow.stream.subjects(COUNTERMARK)) == 2 * SLOTS


def test_schedules_do_not_pile_up_without_a_connector(own_flow: Flow) -> None:
    connector = own_flow.start_connector()
    wait_until(lambda: len(own_flow.functions.calls_with(RECONCILE_SWEEP)) >= 3, 15)
    assert {call.function for call in own_flow.functions.calls_with(RECONCILE_SWEEP)} == {"reconcile"}
    connector.leave()
    time.sleep(3.5)
    assert own_flow.stream.subjects("SCHEDULES") == {f"schedules.{RECONCILE_SWEEP}": 1, RECONCILE_SWEEP: 1}


def test_what_waits_and_what_is_worked_on_is_measured(own_flow: Flow) -> None:
    own_flow.functions.answer(JOBS_COMPLETE, Reply(seconds=6))
    connector = own_flow.start_connector()
    for number in range(SLOTS + 2):
        own_flow.send(JOBS_COMPLETE, "measured", number)
    for name, count in {"in_flight": SLOTS, "waiting": 2}.items():
        wait_until(partial(has_metric, connector, f'connector_messages_{name}{{function="archive"}}', count), 6)
    wait_until(partial(has_metric, connector, 'connector_messages_in_flight{function="archive"}', 0), 20)


def has_metric(connector: Connector, name: str, value: int) -> bool:
    """Whether a metric has this value."""
    return connector.metric(name) == value
