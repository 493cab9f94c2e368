"""Build programs and print where they are: python -m infra.tools minio kubeconform"""

import sys
from typing import Annotated

import typer

from infra.tools.build import ToolError, install
from infra.tools.table import TOOLS

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

LIST = "\n\n".join(f"{name}: {tool.why}" for name, tool in TOOLS.items())


@app.command(help=f"Build programs at their pinned versions, and print where they are.\n\n{LIST}")
def main(names: Annotated[list[str], typer.Argument(metavar="NAME...", show_default=False)]) -> None:
    """Install each."""
    for name in names:
        try:
            typer.echo(install(name, say=lambda text: typer.echo(text, err=True)))
        except ToolError as error:
            sys.exit(f"{name}: {error}")


app(prog_name="python -m infra.tools")
