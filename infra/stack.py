"""stack.yml: the one model that the connector, the one-machine platform, the images and the cluster read.

faas-cli ignores a key that it does not know; this refuses it. The types are those of faas-cli (openfaas/go-sdk,
stack/schema.go).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import durationpy
import yaml
from expandvars import ExpandvarsException, expand
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationError,
    model_validator,
)

from infra.errors import InvalidStack

Text = dict[str, str]


def _seconds(text: str) -> float:
    """Of a whole number of seconds, or of a duration as Go writes it, as the watchdog takes both."""
    seconds = float(text) if text.isdigit() else durationpy.from_str(text).total_seconds()
    if seconds <= 0:
        raise ValueError("it must be more than nothing")
    return float(seconds)


class Notes(BaseModel):
    """What the annotations of a function say to the parts of Countermark; others are left alone."""

    public: bool = Field(default=False, alias="countermark/public")
    topic: str | None = None
    concurrency: PositiveInt = Field(default=1, alias="countermark/concurrency")
    leases: bool = Field(default=False, alias="countermark/leases")
    schedule: str | None = Field(default=None, alias="countermark/schedule")
    schedule_topic: str | None = Field(default=None, alias="countermark/schedule-topic")
    replicas: PositiveInt | Literal["cores"] = Field(default=1, alias="countermark.local/replicas")

    @model_validator(mode="after")
    def _has_both_or_neither(self) -> Self:
        if (self.schedule is None) != (self.schedule_topic is None):
            raise ValueError("countermark/schedule and countermark/schedule-topic belong together")
        return self


class Limits(BaseModel):
    """What the environment of a function says to what runs it; the defaults are those of of-watchdog and index.py."""

    exec_timeout: Annotated[float, BeforeValidator(_seconds)] = 30.0
    max_inflight: PositiveInt = 4
    max_body_bytes: PositiveInt = 100 * 1024 * 1024


def _readable_as(kind: type[BaseModel]) -> AfterValidator:
    """A mapping of texts whose known keys a model takes."""

    def check(values: Text) -> Text:
        kind.model_validate(values)
        return values

    return AfterValidator(check)


class Strict(BaseModel):
    """A mapping with these keys and no other; a text is a text, not a number that YAML has read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Provider(Strict):
    """Where faas-cli deploys to."""

    name: Literal["openfaas"]
    gateway: str = ""


class Resources(Strict):
    """Of one copy, as Kubernetes writes them."""

    memory: str = ""
    cpu: str = ""


class Function(Strict):
    """A function as it is built, deployed and called."""

    lang: str
    handler: Annotated[Path, Field(strict=False)]
    """Its folder, from where the stack file is."""
    image: str
    fprocess: str = ""
    environment: Annotated[Text, _readable_as(Limits)] = Field(default_factory=dict)
    environment_file: list[str] = Field(default_factory=list)
    secrets: list[str] = Field(default_factory=list)
    skip_build: bool = False
    constraints: list[str] = Field(default_factory=list)
    labels: Text = Field(default_factory=dict)
    annotations: Annotated[Text, _readable_as(Notes)] = Field(default_factory=dict)
    limits: Resources = Resources()
    requests: Resources = Resources()
    readonly_root_filesystem: bool = False
    build_options: list[str] = Field(default_factory=list)
    build_args: Text = Field(default_factory=dict)
    build_secrets: Text = Field(default_factory=dict)
    platforms: str = ""
    namespace: str = ""

    @property
    def public(self) -> bool:
        """Whether people may call it by its name."""
        return self._notes.public

    @property
    def topic(self) -> str | None:
        """The subject of the stream whose messages it gets; None: it gets none."""
        return self._notes.topic

    @property
    def concurrency(self) -> int:
        """Messages that the connector has in flight to all copies together."""
        return self._notes.concurrency

    @property
    def leases(self) -> bool:
        """Whether it takes a lease on what a message asks for, so that the message may come twice at once."""
        return self._notes.leases

    @property
    def schedule(self) -> str | None:
        """When a message is published again and again, as NATS takes it: ``@every 5s``, or six cron fields."""
        return self._notes.schedule

    @property
    def schedule_topic(self) -> str | None:
        """The subject of that message; there is one if there is a schedule."""
        return self._notes.schedule_topic

    @property
    def replicas(self) -> int | Literal["cores"]:
        """Its processes on the one-machine platform."""
        return self._notes.replicas

    @property
    def exec_seconds(self) -> float:
        """The time that one call may take."""
        return self._limits.exec_timeout

    @property
    def max_inflight(self) -> int:
        """Requests that one copy works on at a time."""
        return self._limits.max_inflight

    @property
    def max_body_bytes(self) -> int:
        """The largest request that it takes."""
        return self._limits.max_body_bytes

    @property
    def _notes(self) -> Notes:
        return Notes.model_validate(self.annotations)

    @property
    def _limits(self) -> Limits:
        return Limits.model_validate(self.environment)


class Template(Strict):
    """Where faas-cli finds a language template that is not here."""

    name: str
    source: str = ""


class Configuration(Strict):
    """What holds for all functions."""

    templates: list[Template] = Field(default_factory=list)
    copy_: list[str] = Field(default_factory=list, alias="copy")
    """Folders that go into every image, to the same path below the handler."""


class Stack(Strict):
    """The whole file."""

    version: Annotated[Literal["1.0"], BeforeValidator(str)] = "1.0"
    provider: Provider
    functions: dict[str, Function]
    configuration: Configuration = Configuration()


def read_stack(path: Path, environ: Mapping[str, str]) -> Stack:
    """The stack file, with ``${NAME}`` and ``${NAME:-default}`` filled as faas-cli does it.

    Args:
        environ: fills them; a name that is not in it is empty.

    Raises:
        InvalidStack: the file is not there, or something in it is wrong; the message has all of it.
    """
    try:
        text = expand(path.read_text(encoding="utf-8"), environ=environ, surrounded_vars_only=True)
        return Stack.model_validate(yaml.safe_load(text))
    except (OSError, UnicodeError, yaml.YAMLError, ExpandvarsException) as error:
        raise InvalidStack(f"{path}: {error}") from error
    except ValidationError as error:
        raise InvalidStack("; ".join(f"{path}: {_told(item)}" for item in error.errors())) from error


def _told(item: Any) -> str:
    return f"{'.'.join(map(str, item['loc']))}: {item['msg']}"
