"""The commands for a cluster."""

from pathlib import Path
from typing import Annotated, cast
from urllib.parse import urlsplit

import typer

from infra.errors import InfraError, KubernetesError
from infra.kubernetes.credentials import MANIFEST, make_secrets
from infra.kubernetes.render import write
from infra.kubernetes.target import Platform, Target
from infra.project import ROOT

app = typer.Typer(
    help="Countermark on a cluster: manifests for Knative or OpenFaaS, and the secrets that they name.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

PLATFORMS = ("knative", "openfaas")

PlatformName = Annotated[str, typer.Argument(metavar="knative|openfaas", help="What runs the functions.")]
Namespace = Annotated[str, typer.Option(help="Where everything but OpenFaaS's functions goes.")]
Store = Annotated[str, typer.Option(help="The address of an S3 store that is there; empty: MinIO in the cluster.")]


def main() -> None:
    """Run the command line; what a person can fix is reported in a line."""
    try:
        app(prog_name="python -m infra.kubernetes")
    except InfraError as error:
        typer.secho(str(error), fg=typer.colors.RED, err=True)
        raise SystemExit(1) from None


@app.command()
def render(
    platform: PlatformName,
    registry: Annotated[str, typer.Option(help="Where the images are, such as ghcr.io/somebody.")],
    tag: Annotated[str, typer.Option(help="Their tag.")],
    url: Annotated[str, typer.Option(help="The public address, such as https://photos.example.com.")],
    namespace: Namespace = "countermark",
    store: Store = "",
    pull_secret: Annotated[str, typer.Option(help="The secret for a registry that is private.")] = "",
    ingress_class: Annotated[str, typer.Option(help="The class of the ingress controller.")] = "traefik",
    ingress_namespace: Annotated[str, typer.Option(help="Where its pods are.")] = "traefik",
    monitoring_namespace: Annotated[str, typer.Option(help="Where Prometheus is.")] = "monitoring",
    out: Annotated[Path, typer.Option(help="The folder for the files.")] = ROOT / "build" / "kubernetes",
) -> None:
    """Write the manifests and a kustomization."""
    target = Target(
        platform=_platform(platform),
        registry=registry.rstrip("/"),
        tag=tag,
        url=_public_address(url),
        namespace=namespace,
        store=store.rstrip("/"),
        pull_secret=pull_secret,
        ingress_class=ingress_class,
        ingress_namespace=ingress_namespace,
        monitoring_namespace=monitoring_namespace,
    )
    for path in write(target, out):
        typer.echo(path)


@app.command()
def secrets(
    platform: PlatformName,
    namespace: Namespace = "countermark",
    store: Store = "",
    folder: Annotated[Path, typer.Option(help="Keeps them; keep it safe, and out of git.")] = ROOT / ".kubernetes",
    show: Annotated[bool, typer.Option("--print", help="Print the manifests, with all secrets.")] = False,
) -> None:
    """Make the secrets that are not there yet, and write them as manifests."""
    target = Target(platform=_platform(platform), namespace=namespace, store=store.rstrip("/"))
    make_secrets(target, folder)
    typer.echo((folder / MANIFEST).read_text(encoding="utf-8") if show else folder / MANIFEST)


def _platform(name: str) -> Platform:
    if name not in PLATFORMS:
        raise KubernetesError(f"There is no platform {name!r}; there are {' and '.join(PLATFORMS)}.")
    return cast(Platform, name)


def _public_address(url: str) -> str:
    """An address without a path: the pages are at its top."""
    parts = urlsplit(url.rstrip("/"))
    if parts.scheme != "https" or not parts.hostname or parts.path or parts.query or parts.port:
        raise KubernetesError(f"--url {url}: it must be https:// and a host, such as https://photos.example.com.")
    return f"https://{parts.hostname}"
