"""Runs pytest for whoever asks, each time in a fork of this process: most of what a run costs are imports.

What is imported here is what does not change. A line on stdin is a run, a line on stdout its exit code:
    {"folder": "/tmp/x", "words": ["-q", "tests/jobs"], "output": "/tmp/x/output", "seconds": 120}
"""

import importlib
import json
import os
import signal
import sys
from pathlib import Path

import pytest

IMPORTED = (
    *("_pytest.junitxml", "aiohttp.web", "babel", "boto3.session", "cloudevents", "flask.testing", "httpx", "jinja2"),
    *("nats", "numpy", "pg8000.native", "PIL.Image", "prometheus_client", "psutil", "pydantic_settings", "structlog"),
    *("supervisor.xmlrpc", "waitress", "yaml"),
)
"""No plugins of pytest, which wants to import those itself."""
ERROR = 1
"""Python's own code for an error that nobody caught, such as one in what pytest cleans up at its end."""


def run(folder: str, words: list[str], output: str, seconds: int) -> None:
    """Become that run; ends the process."""
    signal.alarm(seconds)
    said = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(said, stream.fileno())
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
    os.chdir(folder)
    sys.path[0:1] = [str(Path(folder) / "functions"), folder]
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])
    code = ERROR
    try:
        code = int(pytest.main(words))
    finally:
        sys.stdout.flush()
        os._exit(code)


def main() -> None:
    """Do what is asked until nobody asks any more."""
    for name in IMPORTED:
        importlib.import_module(name)
    for line in sys.stdin:
        if not (child := os.fork()):
            run(**json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
