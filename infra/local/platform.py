"""The platform as a whole: how it starts and how it stops."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError
from countermark.settings import Settings

from infra.local import seaweedfs, supervise
from infra.local.caddy import PublicAddress
from infra.local.errors import PlatformError
from infra.local.folder import DataFolder
from infra.local.health import Wait
from infra.local.leftovers import kill_leftovers, stop_leftovers
from infra.local.plan import Plan, make_plan
from infra.local.ports import require_free
from infra.store import connect, set_up_buckets, wait_until_it_stores

SECONDS_TO_STOP = 180
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Say = Callable[[str], None]


@contextmanager
def running_platform(folder: DataFolder, address: PublicAddress, say: Say) -> Iterator[subprocess.Popen[bytes]]:
    """Start the platform, yield its supervisor when all parts work, and stop it at the end.

    SIGINT, SIGTERM and SIGHUP end it as KeyboardInterrupt, at any moment.

    Raises:
        PlatformError: it can't start; what was started is stopped again.
    """
    for number in STOPPING:
        signal.signal(number, signal.default_int_handler)
    folder.create()
    with folder.locked():
        folder.running.unlink(missing_ok=True)
        if count := stop_leftovers(folder):
            say(f"Stopped {count} processes that an earlier start had left behind.")
        require_free(address.port, address.hosts)
        plan = make_plan(folder, address)
        supervisor = supervise.start(folder, plan.parts)
        try:
            _bring_up(folder, plan, say)
            folder.running.write_text(json.dumps({"url": address.url, "process": os.getpid()}), encoding="utf-8")
            yield supervisor
        finally:
            for number in STOPPING:
                signal.signal(number, signal.SIG_IGN)  # once is enough
            _stop(folder, supervisor, say)


def _bring_up(folder: DataFolder, plan: Plan, say: Say) -> None:
    """Wait for the parts; the connector comes last, for it calls all others."""
    wait = Wait(folder, report=lambda name, seconds: say(f"  {name:<14}ready after {seconds:4.1f} s"))
    wait.until_healthy([part for part in plan.parts if part.group == "servers"])
    _set_up_store(plan.settings)
    wait.until_healthy([part for part in plan.parts if part.group != "servers" and part.starts_at_once])
    late = [part for part in plan.parts if not part.starts_at_once]
    for part in late:
        supervise.start_part(folder, part)
    wait.until_healthy(late)


def _set_up_store(settings: Settings) -> None:
    keys = settings.s3_access_key.get_secret_value(), settings.s3_secret_key.get_secret_value()
    client = connect(settings.s3_endpoint, *keys, settings.s3_region)
    try:
        set_up_buckets(client, seconds=settings.upload_seconds + settings.job_lifetime)
        wait_until_it_stores(client)
    except (BotoCoreError, ClientError) as error:
        raise PlatformError(f"The object store at {settings.s3_endpoint} can't be set up: {error}") from error


def _stop(folder: DataFolder, supervisor: subprocess.Popen[bytes], say: Say) -> None:
    """Stop what runs: the connector and the functions drain, then Caddy, then the servers."""
    say("Stopping ...")
    folder.running.unlink(missing_ok=True)
    supervisor.terminate()
    try:
        supervisor.wait(timeout=SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        supervisor.kill()
        supervisor.wait()
    kill_leftovers(folder)
    seaweedfs.remove_sockets(json.loads(folder.ports.read_text()))
    say("Stopped.")
