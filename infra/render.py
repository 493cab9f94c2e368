"""Text from templates; a value that a template asks for and does not get is an error."""

from pathlib import Path
from typing import Any

import jinja2

from infra.project import ROOT


def templates(folder: Path) -> jinja2.Environment:
    """The templates of a folder."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 -- configuration and manifests, no HTML
        keep_trailing_newline=True,
    )


_own = templates(ROOT / "infra")


def render(template: str, **values: Any) -> str:
    """The text of a template below infra, such as servers/nats/nats.conf.j2."""
    return _own.get_template(template).render(values)
