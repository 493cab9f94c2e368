"""Each line of a log says whose it is."""

import json
import subprocess
import sys

SCRIPT = """
import logging
from concurrent.futures import ThreadPoolExecutor

import structlog

from countermark.logs import configure_logs

log = structlog.get_logger()
configure_logs(function="upload")
structlog.contextvars.bind_contextvars(job="a")
log.info("here")
log.info("of another", function="status")
with ThreadPoolExecutor(1) as pool:
    pool.submit(log.info, "in a thread").result()
    pool.submit(logging.getLogger("library").warning, "in a library").result()
"""


def test_a_line_says_whose_it_is_in_any_thread() -> None:
    # structlog is configured once in a process, so this is another one.
    command = [sys.executable, "-c", SCRIPT]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    lines = {line["event"]: line for line in map(json.loads, output.splitlines())}
    assert {event: line["function"] for event, line in lines.items()} == {
        "here": "upload",
        "of another": "status",
        "in a thread": "upload",
        "in a library": "upload",
    }
    assert [event for event, line in lines.items() if line.get("job") == "a"] == ["here", "of another"]
