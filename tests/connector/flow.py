"""A connector between a real stream and functions that answer as told."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from countermark.jobs.messages import VERSION, subject
from countermark.servers.stream import Publisher

from tests.connector.functions import Functions
from tests.own_connector import Connector, start_connector
from tests.own_nats import Nats
from tests.system.stream import Stream

SLOTS = 4
ACK_WAIT = 2
SECONDS_ALLOWED = 1
TOKEN = "a token"
STACK = f"""\
provider: {{name: openfaas}}
functions:
  watermark:
    lang: python3-countermark
    handler: ./functions/watermark
    image: watermark
    environment: {{exec_timeout: {SECONDS_ALLOWED}s}}
    annotations: {{topic: images.waiting.>, countermark/concurrency: "{SLOTS}", countermark/leases: "true"}}
  archive:
    lang: python3-countermark
    handler: ./functions/archive
    image: archive
    annotations: {{topic: jobs.complete.>, countermark/concurrency: "{SLOTS}"}}
  drop:
    lang: python3-countermark
    handler: ./functions/drop
    image: drop
    annotations: {{topic: objects.created.*}}
  reconcile:
    lang: python3-countermark
    handler: ./functions/reconcile
    image: reconcile
    annotations:
      topic: reconcile.>
      countermark/schedule: "@every 1s"
      countermark/schedule-topic: reconcile.sweep
"""


@dataclass
class Flow:
    """The parts, and hands to start and stop them."""

    folder: Path
    nats: Nats
    functions: Functions
    publisher: Publisher
    connector: Connector | None = None

    @property
    def stream(self) -> Stream:
        """The stream as an administrator sees it."""
        return Stream(self.nats.url)

    @property
    def running(self) -> Connector:
        """The connector, which runs."""
        assert self.connector is not None
        return self.connector

    def start_connector(self, **settings: str) -> Connector:
        """Start the connector."""
        stack = self.folder / "stack.yml"
        stack.write_text(STACK)
        self.connector = start_connector(
            self.folder,
            {
                "NATS_URL": self.nats.url,
                "FUNCTION_URL": f"http://127.0.0.1:{self.functions.port}/{{function}}",
                "STACK_FILE": str(stack),
                "ACK_WAIT": str(ACK_WAIT),
                "WEBHOOK_TOKEN": TOKEN,
                **settings,
            },
        )
        return self.connector

    def send(self, kind: str, *parts: str | int) -> str:
        """Publish a message. Returns its subject."""
        about = subject(kind, *parts)
        self.publisher.publish(about, {"version": VERSION, "job": str(parts[0])})
        return about


@contextmanager
def make_flow(store: Path | None = None) -> Iterator[Flow]:
    """The stream and the functions; the connector is started by who wants it."""
    folder = Path(tempfile.mkdtemp(prefix="countermark-"))
    nats = Nats(folder, store or folder / "nats")
    functions = Functions()
    publisher = Publisher(nats.url)
    flow = Flow(folder, nats, functions, publisher)
    try:
        nats.start()
        with functions.serve():
            try:
                yield flow
            finally:
                if flow.connector is not None:
                    flow.connector.kill()
    finally:
        publisher.close()
        nats.kill()
        shutil.rmtree(folder)
