"""Several connectors share the work, and one that is killed leaves nothing undone."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.project import STACK
from tests.client import PHOTOGRAPHS, Caller, report_of
from tests.own_connector import Connector, start_connector
from tests.platform_driver import wait_until
from tests.system.stream import Stream

COUNT = 48


@pytest.fixture
def second(platform: Any) -> Iterator[Connector]:
    """A connector beside the platform's own."""
    settings = {
        "SECRETS_DIR": str(platform.folder.secrets / "connector"),
        "FUNCTION_URL": f"http://127.0.0.1:{platform.ports['gateway']}/function/{{function}}",
        "STACK_FILE": str(STACK),
    }
    with tempfile.TemporaryDirectory(prefix="countermark-connector-") as folder:
        connector = start_connector(Path(folder), settings)
        yield connector
        connector.kill()


@pytest.mark.parametrize("killed", [False, True], ids=["both stay", "one is killed"])
def test_two_connectors_share_a_job(caller: Caller, stream: Stream, second: Connector, killed: bool) -> None:
    job = caller.upload([(f"{n}.jpg", PHOTOGRAPHS[n % len(PHOTOGRAPHS)].read_bytes()) for n in range(COUNT)])
    wait_until(lambda: second.deliveries("watermark", "done") > 0)
    if killed:
        second.kill()
    ended, files = caller.wait(job, seconds=90), caller.archive(job)
    assert (ended["state"], ended["done"], ended["failed"]) == ("ready", COUNT, 0)
    assert report_of(files)["done"] == COUNT
    assert len(files) == COUNT + 1
    stream.wait_until_quiet(60)
