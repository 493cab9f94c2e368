"""The commands for images."""

import os
from pathlib import Path
from typing import Annotated

import typer

from infra.errors import BuildError, InfraError
from infra.images.builder import find_builder
from infra.images.contexts import RECIPES, build_arguments, lay_out_function, lay_out_recipe
from infra.stack import Stack, read_stack

app = typer.Typer(
    help="Build the images of the functions, the connector and the gateway.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Of the images; all by default.")]
StackFile = Annotated[Path, typer.Option("--stack", help="The stack file.")]
Registry = Annotated[str, typer.Option(envvar="REGISTRY", help="Where images belong: ghcr.io/you")]
Tag = Annotated[str, typer.Option(envvar="TAG", help="Their tag.")]
Arguments = Annotated[list[str] | None, typer.Option("--build-arg", metavar="NAME=VALUE", help="Of every build.")]

STACK = Path("stack.yml")
BUILD = "build"


def main() -> None:
    """Run the command line; what a person can fix is reported in a line."""
    try:
        app(prog_name="python -m infra.images")
    except InfraError as error:
        typer.secho(str(error), fg=typer.colors.RED, err=True)
        raise SystemExit(1) from None


@app.command()
def contexts(names: Names = None, stack: StackFile = STACK) -> None:
    """Lay out what images are built from, in build/<name>, and print where."""
    for context in _lay_out(names, stack, read_stack(stack, os.environ)).values():
        typer.echo(context)


@app.command()
def build(
    names: Names = None,
    stack: StackFile = STACK,
    registry: Registry = "countermark",
    tag: Tag = "latest",
    build_arg: Arguments = None,
    push: Annotated[bool, typer.Option("--push", help="Send them to the registry.")] = False,
) -> None:
    """Build images: <registry>/<name>:<tag>, and what stack.yml says for functions."""
    builder = find_builder()
    content = read_stack(stack, os.environ | {"REGISTRY": registry, "TAG": tag})
    given = dict(word.partition("=")[::2] for word in build_arg or [])
    for name, context in _lay_out(names, stack, content).items():
        function = content.functions.get(name)
        image = function.image if function else f"{registry}/{name}:{tag}"
        arguments = build_arguments(stack.parent, function) if function else {}
        builder.build(context, image, arguments | given)
        if push:
            builder.push(image)
        typer.echo(image)


def _lay_out(names: list[str] | None, path: Path, stack: Stack) -> dict[str, Path]:
    known = [*stack.functions, *RECIPES]
    if unknown := [name for name in names or [] if name not in known]:
        raise BuildError(f"There is no image {', '.join(unknown)}; there are {', '.join(known)}.")
    root = path.parent
    return {
        name: lay_out_function(root, stack, name, root / BUILD)
        if name in stack.functions
        else lay_out_recipe(root, name, root / BUILD)
        for name in names or known
    }
