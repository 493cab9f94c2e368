"""The functions of stack.yml as a cluster runs them."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from infra.connector.stack import InvalidStack, exec_seconds
from infra.kubernetes.errors import KubernetesError
from infra.kubernetes.target import Target
from infra.local.folder import ROOT
from infra.local.stack import DEFAULT_BODY_BYTES, PUBLIC

STACK = ROOT / "stack.yml"
VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
DEFAULT_INFLIGHT = 4
"""What index.py takes when the entry does not say."""
COPIES_FOR_CALLS = 10
"""The most copies of a function whose load people make, not messages."""
GIB = 1024**3
KNATIVE_LONGEST_SECONDS = 600
"""Knative's max-revision-timeout-seconds."""


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function as a cluster runs it."""

    name: str
    image: str
    environment: dict[str, str]
    secrets: list[str]
    requests: dict[str, str]
    limits: dict[str, str]
    public: bool
    topic: str | None
    concurrency: int
    """Messages that the connector has in flight to all copies together; 0 without a topic."""
    max_inflight: int
    """Requests that one copy works on at a time."""
    max_body_bytes: int
    seconds: int
    """The time that one call may take."""

    @property
    def knative_seconds(self) -> int:
        """The same as far as Knative allows it."""
        return min(self.seconds, KNATIVE_LONGEST_SECONDS)

    @property
    def min_scale(self) -> int:
        """A person does not wait for a start; messages do. What a schedule calls never rests long enough to leave."""
        return 1 if self.public else 0

    @property
    def max_scale(self) -> int:
        """As many copies as the connector's messages keep busy; what people call gets room of its own."""
        busy = math.ceil(self.concurrency / self.max_inflight)
        return busy + (COPIES_FOR_CALLS if self.public and not busy else 0)

    @property
    def temporary_bytes(self) -> int:
        """What its copies may write to /tmp: a body larger than half a megabyte is kept there while it is read."""
        return max(GIB, 2 * self.max_body_bytes)


def resolved_stack(target: Target, path: Path = STACK) -> dict[str, Any]:
    """The stack file of a deployment: images named, and the platform's addresses in the environment.

    Raises:
        KubernetesError: the file can't be used.
    """
    values = {"REGISTRY": target.registry, "TAG": target.tag}
    try:
        text = VARIABLE.sub(lambda found: values.get(found[1], found[2] or ""), path.read_text(encoding="utf-8"))
        stack: dict[str, Any] = yaml.safe_load(text)
        for name, entry in stack["functions"].items():
            entry["environment"] = {
                **(entry.get("environment") or {}),
                "FUNCTION_NAME": name,
                "PUBLIC_URL": target.url,
                "S3_ENDPOINT": target.store_url,
            }
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise KubernetesError(f"{path} can't be used: {type(error).__name__}: {error}") from error
    return stack


def read_functions(stack: dict[str, Any], path: Path = STACK) -> list[Function]:
    """The functions of a resolved stack.

    Raises:
        KubernetesError: an entry is wrong.
    """
    try:
        return [_function(path, name, entry) for name, entry in stack["functions"].items()]
    except (InvalidStack, KeyError, TypeError, ValueError) as error:
        raise KubernetesError(f"{path} can't be used: {type(error).__name__}: {error}") from error


def _function(path: Path, name: str, entry: dict[str, Any]) -> Function:
    notes = entry.get("annotations") or {}
    environment = {key: str(value) for key, value in entry["environment"].items()}
    topic = notes.get("topic")
    return Function(
        name=name,
        image=entry["image"],
        environment=environment,
        secrets=entry.get("secrets") or [],
        requests=entry.get("requests") or {},
        limits=entry.get("limits") or {},
        public=notes.get(PUBLIC) == "true",
        topic=topic,
        concurrency=int(notes.get("countermark/concurrency", 1)) if topic else 0,
        max_inflight=int(environment.get("max_inflight", DEFAULT_INFLIGHT)),
        max_body_bytes=int(environment.get("max_body_bytes", DEFAULT_BODY_BYTES)),
        seconds=math.ceil(exec_seconds(path, name, entry)),
    )
