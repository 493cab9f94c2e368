"""Configuration files of the servers, from the templates beside them."""

import shlex
from pathlib import Path
from typing import Any

import jinja2

from infra.errors import PlatformError
from infra.local.folder import ROOT

QUOTES = "\"'"


def command_line(words: list[str]) -> str:
    """A command as the supervisor's configuration takes it."""
    return literal(shlex.join(words))


def literal(text: object) -> str:
    """A text in which the supervisor replaces nothing.

    Raises:
        PlatformError: no line of a configuration file can hold it.
    """
    if "\n" in str(text):
        raise PlatformError(f"A line break can't be passed on: {text!r}")
    return str(text).replace("%", "%%")


def environment(variables: dict[str, str]) -> str:
    """An environment as the supervisor's configuration takes it.

    Raises:
        PlatformError: a value has both kinds of quotes, or one at an end, for which there is no way to write it.
    """
    pairs = []
    for name, value in variables.items():
        quote = "'" if '"' in value else '"'
        if quote in value or value != value.strip(QUOTES):
            raise PlatformError(f"{name} can't be passed on because of its quotes: {value!r}")
        pairs.append(f"{name}={quote}{literal(value)}{quote}")
    return ",".join(pairs)


_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(ROOT / "infra"),
    undefined=jinja2.StrictUndefined,
    autoescape=False,  # noqa: S701 -- configuration, no HTML
    trim_blocks=False,
    keep_trailing_newline=True,
)
_templates.filters |= {"command_line": command_line, "literal": literal, "environment": environment}


def render(template: str, **values: Any) -> str:
    """The text of a template, such as nats/nats.conf.j2."""
    return _templates.get_template(template).render(**values)


def render_to(path: Path, template: str, *, mode: int = 0o600, **values: Any) -> Path:
    """Write the text of a template to a file; as secrets are in most of them, only the owner reads it."""
    path.touch(mode=mode)
    path.chmod(mode)
    path.write_text(render(template, **values), encoding="utf-8")
    return path
