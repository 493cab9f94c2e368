"""What an autoscaler counts is there and moves: the images that wait, asked as KEDA's scaler asks."""

from urllib.parse import urlsplit

import pg8000.native
import yaml

from infra.kubernetes.render import render
from infra.kubernetes.target import Target
from tests.client import Caller, picture
from tests.platform_driver import Platform, wait_until


def waiting(platform: Platform) -> int:
    """What the query of the rendered ScaledObject returns."""
    documents = yaml.safe_load_all(render(Target(platform="openfaas"))["keda.yaml"])
    (scaled,) = [each for each in documents if each["kind"] == "ScaledObject"]
    place = urlsplit(platform.secret("database-url"))
    connection = pg8000.native.Connection(
        place.username, host=place.hostname, port=place.port, password=place.password, database=place.path[1:]
    )
    try:
        ((count,),) = connection.run(scaled["spec"]["triggers"][0]["metadata"]["query"])
    finally:
        connection.close()
    return int(count)


def test_the_count_grows_while_nobody_marks_and_falls_when_somebody_does(platform: Platform, caller: Caller) -> None:
    wait_until(lambda: waiting(platform) == 0)
    platform.stop("watermark")
    try:
        job = caller.upload([(f"{number}.jpg", picture()) for number in range(40)])
        wait_until(lambda: waiting(platform) == 40)
    finally:
        platform.start("watermark")
    assert caller.wait(job, 120)["state"] == "ready"
    wait_until(lambda: waiting(platform) == 0)
