"""stack.yml as faas-cli reads it, but strictly: faas-cli passes over a key that it does not know, this refuses it.

The types are those of faas-cli's own (openfaas/go-sdk, stack/schema.go).
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from infra.images.errors import ImageError

Text = dict[str, str]


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
    """A function as it is built and deployed."""

    lang: str
    handler: str
    """Its folder, from where the stack file is."""
    image: str
    fprocess: str = ""
    environment: Text = Field(default_factory=dict)
    environment_file: list[str] = Field(default_factory=list)
    secrets: list[str] = Field(default_factory=list)
    skip_build: bool = False
    constraints: list[str] = Field(default_factory=list)
    labels: Text = Field(default_factory=dict)
    annotations: Text = Field(default_factory=dict)
    limits: Resources = Resources()
    requests: Resources = Resources()
    readonly_root_filesystem: bool = False
    build_options: list[str] = Field(default_factory=list)
    build_args: Text = Field(default_factory=dict)
    build_secrets: Text = Field(default_factory=dict)
    platforms: str = ""
    namespace: str = ""


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


def read_stack(path: Path, environment: Mapping[str, str] | None = None) -> Stack:
    """The stack file, with ``${NAME}`` and ``${NAME:-default}`` filled from the environment as faas-cli does it.

    Args:
        environment: the process's own by default.

    Raises:
        ImageError: the file is not there, or is not what faas-cli takes.
    """
    values = os.environ if environment is None else environment
    try:
        text = re.sub(
            r"\$\{(\w+)(?::-([^}]*))?\}",
            lambda found: values.get(found[1]) or found[2] or "",
            path.read_text(encoding="utf-8"),
        )
        return Stack.model_validate(yaml.safe_load(text))
    except (OSError, yaml.YAMLError) as error:
        raise ImageError(f"{path}: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise ImageError(f"{path}: {wrong}") from error
