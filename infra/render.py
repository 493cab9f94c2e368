"""Text from templates; a value that a template asks for and does not get is an error."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.project import ROOT

if TYPE_CHECKING:
    import jinja2


@cache
def templates(folder: Path) -> "jinja2.Environment":
    """The templates of a folder."""
    import jinja2  # here: who knows the servers' files need not render them

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 -- configuration and manifests, no HTML
        keep_trailing_newline=True,
    )


def render(template: str, **values: Any) -> str:
    """The text of a template below infra, such as servers/nats/nats.conf.j2."""
    return templates(ROOT / "infra").get_template(template).render(values)
