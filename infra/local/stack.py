"""What stack.yml says about processes: which functions there are, with how many copies and which environment."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from infra.local.errors import PlatformError

REPLICAS = "countermark.local/replicas"
PUBLIC = "countermark/public"
DEFAULT_BODY_BYTES = 100 * 1024 * 1024
"""What index.py takes when the entry does not say."""


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function as the one-machine platform runs it."""

    name: str
    handler: Path
    """Its folder."""
    replicas: int
    public: bool
    """Whether people may call it by its name."""
    max_body_bytes: int
    environment: dict[str, str]

    def copies(self) -> list[str]:
        """The names of its processes."""
        if self.replicas == 1:
            return [self.name]
        return [f"{self.name}-{number}" for number in range(1, self.replicas + 1)]


def read_functions(path: Path) -> list[Function]:
    """The functions of a stack file.

    Raises:
        PlatformError: the file is not there or is wrong.
    """
    try:
        functions: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["functions"]
        return [_function(path.parent, name, entry) for name, entry in functions.items()]
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise PlatformError(f"{path} can't be used: {type(error).__name__}: {error}") from error


def _function(folder: Path, name: str, entry: dict[str, Any]) -> Function:
    notes = entry.get("annotations") or {}
    environment = {key: str(value) for key, value in (entry.get("environment") or {}).items()}
    return Function(
        name=name,
        handler=(folder / entry["handler"]).resolve(strict=True),
        replicas=_replicas(notes.get(REPLICAS, "1")),
        public=notes.get(PUBLIC) == "true",
        max_body_bytes=int(environment.get("max_body_bytes", DEFAULT_BODY_BYTES)),
        environment=environment,
    )


def _replicas(text: str) -> int:
    if text == "cores":
        return len(os.sched_getaffinity(0))
    replicas = int(text)
    if replicas < 1:
        raise ValueError(f"{REPLICAS} must be cores or at least 1")
    return replicas
