"""The commands of the one-machine platform."""

import json
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from infra.credentials import FOR_PEOPLE
from infra.errors import InfraError, PlatformError
from infra.local import supervise
from infra.local.folder import DataFolder
from infra.local.machine import LOOPBACK, PublicAddress
from infra.local.ports import pick_free_port
from infra.local.run import running_platform
from infra.local.stores import Store
from infra.local.watch import watch
from infra.project import ROOT

app = typer.Typer(
    help="Countermark on one machine: real servers, the connector and the functions, without Docker.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Data = Annotated[
    Path, typer.Option("--data", envvar="COUNTERMARK_DATA", help="The folder with everything that is kept.")
]
Port = Annotated[int, typer.Option("--port", envvar="PORT", min=1, max=65535, help="The public port.")]
StoreChoice = Annotated[
    Store,
    typer.Option("--store", envvar="STORE", help="The object store; minio is built at its first start."),
]
Host = Annotated[str, typer.Option("--host", envvar="HOST_ADDRESS", help="The address to listen on; 0.0.0.0 for all.")]

SECONDS_BETWEEN_LOOKS = 5.0


def main() -> None:
    """Run the command line; what a person can fix is reported in a line."""
    try:
        app(prog_name="python -m infra.local")
    except InfraError as error:
        typer.secho(str(error), fg=typer.colors.RED, err=True)
        raise SystemExit(1) from None


@app.command()
def up(
    data: Data = ROOT / ".countermark", port: Port = 8080, host: Host = LOOPBACK, store: StoreChoice = Store.SEAWEEDFS
) -> None:
    """Start everything and stay until Ctrl-C; data are kept for the next time."""
    folder, address = DataFolder(data.resolve()), PublicAddress(host, port)
    started = time.monotonic()
    try:
        with running_platform(folder, address, store, typer.echo) as running:
            _welcome(folder, address, time.monotonic() - started)
            watching = watch(folder, running.processes, typer.echo)
            while running.supervisor.poll() is None:
                watching.look(supervise.states(folder))
                time.sleep(SECONDS_BETWEEN_LOOKS)
            raise PlatformError(f"The supervisor ended; see {folder.logs / 'supervisord.log'}.")
    except KeyboardInterrupt:
        typer.echo("Your data is kept.")


def _welcome(folder: DataFolder, address: PublicAddress, seconds: float) -> None:
    lines = [
        f"Ready after {seconds:.1f} s. Ctrl-C stops it.",
        "",
        f"  Page      {address.url}/",
        f"  Function  curl --data-binary @photo.jpg '{address.url}/function/watermark?text=Countermark' -o marked.jpg",
    ]
    credentials = folder.secrets / FOR_PEOPLE
    if credentials.is_file():
        lines += [
            f"  Drop      AWS_SHARED_CREDENTIALS_FILE={credentials} \\",
            f"            aws --endpoint-url {address.url} s3 cp photo.jpg s3://drop/wedding/",
            "            marked copies: s3://results/drop/wedding/, then s3://results/drop/wedding.zip",
        ]
    lines += [f"  Logs      {folder.logs}"]
    typer.echo("\n".join(lines))


@app.command()
def demo(
    target: Annotated[Path, typer.Option(help="The ZIP that is written.")] = Path("countermark-demo.zip"),
    store: StoreChoice = Store.SEAWEEDFS,
) -> None:
    """Mark the sample photographs on a platform that starts and stops for it, and write the ZIP here."""
    from infra.local.demo import run_demo  # here and below: what others would keep in memory for nothing

    with tempfile.TemporaryDirectory(prefix="countermark-") as temporary:
        folder, address = DataFolder(Path(temporary) / "data"), PublicAddress(LOOPBACK, pick_free_port())
        with running_platform(folder, address, store, typer.echo):
            run_demo(address.url, target.resolve(), typer.echo)


@app.command()
def status(data: Data = ROOT / ".countermark") -> None:
    """Say what runs, and where it is reached."""
    folder = DataFolder(data.resolve())
    found = supervise.states(folder)
    if not found:
        raise PlatformError(f"Nothing runs on {folder.root}.")
    for name, process in found.items():
        typer.echo(f"  {name:<14}{process['statename'].lower():<10}{process['description']}")
    if folder.running.is_file():
        typer.echo(f"  {'page':<14}{json.loads(folder.running.read_text())['url']}/")
    typer.echo(f"  {'logs':<14}{folder.logs}")


@app.command()
def doctor(
    data: Data = ROOT / ".countermark", port: Port = 8080, host: Host = LOOPBACK, store: StoreChoice = Store.SEAWEEDFS
) -> None:
    """Say what the platform needs on this machine, and what is missing."""
    from infra.local.doctor import examine

    findings = list(examine(DataFolder(data.resolve()), port, PublicAddress(host, port).hosts, store))
    for finding in findings:
        mark = typer.style("ok  ", fg="green") if finding.good else typer.style("no  ", fg="red")
        typer.echo(f"  {mark}{finding.name:<12}{finding.text}")
    if not all(finding.good for finding in findings if finding.needed):
        raise typer.Exit(1)
