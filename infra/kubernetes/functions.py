"""The functions of stack.yml as a cluster runs them."""

import math
from dataclasses import dataclass
from pathlib import Path

from infra.kubernetes.target import Target
from infra.project import STACK
from infra.stack import Function, Stack, read_stack

COPIES_FOR_CALLS = 10
"""The most copies of a function whose load people make, not messages."""
MARKING = "watermark"
"""The function whose copies are added as images wait."""
SCALE_MIN, SCALE_MAX = "com.openfaas.scale.min", "com.openfaas.scale.max"
OPENFAAS_COPIES = 5
"""The most that the Community Edition leaves alone."""
GIB = 1024**3
KNATIVE_LONGEST_SECONDS = 600
"""Knative's max-revision-timeout-seconds."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A function, and what a cluster gives it."""

    name: str
    function: Function

    @property
    def seconds(self) -> int:
        """The time that one call may take."""
        return math.ceil(self.function.exec_seconds)

    @property
    def knative_seconds(self) -> int:
        """The same as far as Knative allows it."""
        return min(self.seconds, KNATIVE_LONGEST_SECONDS)

    @property
    def min_scale(self) -> int:
        """A person does not wait for a start; messages do. What a schedule calls never rests long enough to leave."""
        return 1 if self.function.public else 0

    @property
    def max_scale(self) -> int:
        """As many copies as the connector's messages keep busy; what people call gets room of its own."""
        if self.function.topic:
            return math.ceil(self.function.concurrency / self.function.max_inflight)
        return COPIES_FOR_CALLS

    @property
    def temporary_bytes(self) -> int:
        """What its copies may write to /tmp: bodies that wait until they are whole; of upload, ZIPs of two jobs."""
        return max(GIB, 2 * self.function.max_body_bytes)


def deployed_stack(target: Target, path: Path = STACK) -> Stack:
    """The stack file of a deployment: images named, and in the environment what follows from the platform.

    Raises:
        InvalidStack: the file can't be used.
    """
    stack = read_stack(path, {"REGISTRY": target.registry, "TAG": target.tag})
    share = _line_share(target, stack)
    return stack.model_copy(
        update={"functions": {name: _deployed(target, name, each, share) for name, each in stack.functions.items()}}
    )


def workloads_of(stack: Stack) -> list[Workload]:
    """The functions of a stack."""
    return [Workload(name=name, function=function) for name, function in stack.functions.items()]


def _line_share(target: Target, stack: Stack) -> dict[str, str]:
    """Twice what all copies work on at once: one owner alone keeps them busy, and others wait for little of his."""
    marking = stack.functions.get(MARKING)
    if marking is None:
        return {}
    copies = Workload(name=MARKING, function=marking).max_scale
    if target.platform == "openfaas":
        copies = int(marking.labels.get(SCALE_MAX, OPENFAAS_COPIES))
    return {"LINE_SHARE": str(2 * copies * marking.max_inflight)}


def _deployed(target: Target, name: str, function: Function, share: dict[str, str]) -> Function:
    addresses = {"FUNCTION_NAME": name, "PUBLIC_URL": target.url, "S3_ENDPOINT": target.store_url}
    return function.model_copy(update={"environment": share | function.environment | addresses})
