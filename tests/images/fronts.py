"""What the platforms put before a copy of a function, with the real programs.

bare          nothing, as on one machine
queue-proxy   Knative's; its ports 8022, 9090 and 9091 are fixed, so there is one at a time on a machine
of-watchdog   OpenFaaS's, with the settings of the Dockerfile
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx
import pytest

from infra.local.ports import pick_free_port
from infra.tools import ToolError, install
from tests.openfaas.programs import program_or_skip
from tests.platform_driver import wait_until
from tests.served import SECONDS_TO_LEAVE, TEMPLATE, answers, serve

ADMIN = "http://127.0.0.1:8022"
"""Of the queue-proxy, for the kubelet."""
KUBELET = {"User-Agent": "kube-probe/1.34", "K-Network-Probe": "queue"}
"""What its readiness probe says."""
TAKEN = "address already in use"
INFLIGHT = 2
SECONDS = 3
"""That a call may take."""


@dataclass(frozen=True)
class Front:
    """A function behind what its platform puts before it."""

    name: str
    url: str
    leave: Callable[[], None]
    """Ends it as the platform does, and returns when all of it has ended."""


@contextmanager
def bare(folder: Path) -> Iterator[Front]:
    """The function by itself."""
    with serve(folder, max_inflight=str(INFLIGHT)) as function:

        def leave() -> None:
            assert function.leave() == 0

        yield Front("bare", function.url, leave)


@contextmanager
def queue_proxy(folder: Path) -> Iterator[Front]:
    """The function in a pod of Knative."""
    program, output = tool("queue-proxy"), folder / "queue-proxy.log"
    with serve(folder, max_inflight=str(INFLIGHT), K_SERVICE="tried") as function:
        port = pick_free_port()
        environment = queue_proxy_environment(port, function.port)
        with output.open("wb") as log:
            process = subprocess.Popen([program], env=environment, stdout=log, stderr=subprocess.STDOUT)

        def leave() -> None:
            process.send_signal(signal.SIGTERM)
            # The kubelet asks this before it tells the function.
            assert httpx.get(f"{ADMIN}/wait-for-drain", timeout=SECONDS_TO_LEAVE).status_code == 200
            assert function.leave() == 0
            assert process.wait(SECONDS_TO_LEAVE) == 0

        url = f"http://127.0.0.1:{port}"
        try:
            wait_until(lambda: answers(url, **KUBELET) or process.poll() is not None)
            if process.poll() is not None and TAKEN in output.read_text():
                pytest.skip("another program has one of the queue-proxy's fixed ports: 8022, 9090, 9091")
            assert process.poll() is None, output.read_text()
            yield Front("queue-proxy", url, leave)
        finally:
            process.kill()
            process.wait()


def queue_proxy_environment(port: int, function_port: int) -> dict[str, str]:
    """What Knative's controller tells the queue-proxy of a Service."""
    get = {"path": "/_/ready", "port": function_port, "host": "127.0.0.1", "scheme": "HTTP"}
    probe = {"httpGet": get, "periodSeconds": 10, "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3}
    return {
        "CONTAINER_CONCURRENCY": str(INFLIGHT),
        "QUEUE_SERVING_PORT": str(port),
        "QUEUE_SERVING_TLS_PORT": str(pick_free_port()),
        "USER_PORT": str(function_port),
        "REVISION_TIMEOUT_SECONDS": str(SECONDS),
        "SERVING_READINESS_PROBE": json.dumps(probe),
        "SERVING_LOGGING_CONFIG": "",
        "SERVING_LOGGING_LEVEL": "info",
        "SERVING_NAMESPACE": "countermark",
        "SERVING_CONFIGURATION": "tried",
        "SERVING_REVISION": "tried-00001",
        "SERVING_POD": "tried-00001-deployment",
        "SERVING_POD_IP": "127.0.0.1",
    }


@contextmanager
def of_watchdog(folder: Path) -> Iterator[Front]:
    """The function in a pod of OpenFaaS."""
    program, port, function_port = program_or_skip("of-watchdog"), pick_free_port(), pick_free_port()
    process = subprocess.Popen(
        [program],
        cwd=TEMPLATE,
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "FUNCTION_DIR": str(folder),
            "OPENFAAS_NAME": "tried",
            "TMPDIR": str(folder),
            "suppress_lock": "true",
            "PORT": str(function_port),
            "port": str(port),
            "fprocess": "python index.py --behind-watchdog",
            "mode": "http",
            "upstream_url": f"http://127.0.0.1:{function_port}",
            "ready_path": "/_/ready",
            "max_inflight": str(INFLIGHT),
            "exec_timeout": f"{SECONDS}s",
            "read_timeout": f"{SECONDS + 2}s",
            "write_timeout": f"{SECONDS + 2}s",
            "healthcheck_interval": "2s",
        },
    )

    def leave() -> None:
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS_TO_LEAVE) == 0
        wait_until(lambda: not answers(f"http://127.0.0.1:{function_port}/_/health"))

    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: answers(f"{url}/_/health") or process.poll() is not None)
        yield Front("of-watchdog", url, leave)
    finally:
        process.kill()
        process.wait()


FRONTS = {"bare": bare, "queue-proxy": queue_proxy, "of-watchdog": of_watchdog}


def tool(name: str) -> str:
    """The path of a program; the test is skipped where it can't be had, with the reason."""
    program, reason = _tried(name)
    if reason:
        pytest.skip(f"{name} can't be had here: {reason}")
    return program


@cache
def _tried(name: str) -> tuple[str, str]:
    """The path of a program, or why it can't be had; asked for once."""
    try:
        return str(install(name)), ""
    except ToolError as error:
        return "", str(error)
