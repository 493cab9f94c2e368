"""What an autoscaler reads of the stream is there and moves; asked as KEDA's scaler nats-jetstream asks."""

from typing import Any

import httpx
import yaml

from infra.kubernetes.render import render
from infra.kubernetes.target import Target
from tests.client import Caller, picture
from tests.platform_driver import Platform, wait_until


def scaler() -> dict[str, str]:
    """What the rendered ScaledObject tells KEDA."""
    triggers = yaml.safe_load(render(Target(platform="openfaas"))["keda.yaml"])["spec"]["triggers"]
    metadata: dict[str, str] = triggers[0]["metadata"]
    return metadata


def consumer(platform: Platform) -> dict[str, Any]:
    """The consumer, found in the answer as the scaler finds it: by account, stream and name."""
    asked = scaler()
    answer = httpx.get(
        f"http://127.0.0.1:{platform.ports['nats-monitor']}/jsz",
        params={"acc": asked["account"], "consumers": "true", "config": "true"},
    ).json()
    (account,) = [each for each in answer["account_details"] if each["name"] == asked["account"]]
    (stream,) = [each for each in account["stream_detail"] if each["name"] == asked["stream"]]
    (found,) = [each for each in stream["consumer_detail"] if each["name"] == asked["consumer"]]
    return dict(found)


def lag(platform: Platform) -> int:
    """Messages that wait, and that are being worked on."""
    found = consumer(platform)
    return int(found["num_pending"] + found["num_ack_pending"])


def test_the_lag_grows_while_nobody_marks_and_goes_when_somebody_does(platform: Platform, caller: Caller) -> None:
    wait_until(lambda: lag(platform) == 0)
    platform.stop("watermark")
    try:
        job = caller.upload([(f"{number}.jpg", picture()) for number in range(40)])
        wait_until(lambda: lag(platform) == 40)
        assert consumer(platform)["num_ack_pending"] <= 40
    finally:
        platform.start("watermark")
    assert caller.wait(job, 120)["state"] == "ready"
    wait_until(lambda: lag(platform) == 0)
