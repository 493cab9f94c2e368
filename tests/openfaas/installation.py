"""OpenFaaS on this machine: its real gateway, faas-cli and watchdogs; the platform's servers are behind them.

The platform's own functions, connector and way to them stand still; the functions are what faas-cli has deployed, from
the stack file that is rendered for a cluster.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from infra.kubernetes.functions import deployed_stack
from infra.kubernetes.render import render
from infra.kubernetes.target import Target
from infra.local.ports import pick_free_port
from infra.project import ROOT
from infra.servers.gateway.site import caddyfile
from tests.client import Caller
from tests.hosts.network import Network
from tests.openfaas.programs import program
from tests.openfaas.provider import NAMESPACE, Deployment, Provider
from tests.own_caddy import cluster_site, running_caddy
from tests.own_connector import Connector, start_connector
from tests.platform_driver import Platform, wait_until

USER, PASSWORD = "admin", "secret"
FUNCTION_SECRETS = ("nats-url", "database-url", "s3-access-key", "s3-secret-key")
SECONDS_TO_DEPLOY = 120
VALUES = ROOT / "infra" / "kubernetes" / "values" / "openfaas.yaml"


@dataclass(frozen=True)
class Installation:
    """OpenFaaS with the functions."""

    platform: Platform
    provider: Provider
    gateway: str
    """The address of OpenFaaS's gateway."""
    folder: Path
    stack_file: Path
    caller: Caller
    """Somebody who comes by Countermark's gateway."""
    connector: Connector

    def faas_cli(self, *arguments: str, text: str = "") -> str:
        """What faas-cli says; it must succeed."""
        command = [str(program("faas-cli")), *arguments, "--gateway", self.gateway]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        done = subprocess.run(command, cwd=ROOT, env=environment, input=text, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def deploy(self, *arguments: str) -> None:
        """Deploy from the stack file; the replicas come afterwards."""
        self.faas_cli("deploy", "--yaml", str(self.stack_file), *arguments)

    def wait_until_settled(self) -> None:
        """Wait until every function has the replicas that were asked for."""
        wait_until(lambda: all(each.is_settled for each in self.provider.functions.values()), SECONDS_TO_DEPLOY)

    def scale(self, name: str, replicas: int) -> None:
        """Ask OpenFaaS's gateway for so many replicas."""
        answer = self._post(f"/system/scale-function/{name}", {"serviceName": name, "replicas": replicas})
        assert answer.status_code == 202, answer.text

    @property
    def watermark(self) -> Deployment:
        """The function that marks."""
        return self.provider.functions["watermark"]

    def _post(self, path: str, document: Any) -> httpx.Response:
        return httpx.post(self.gateway + path, json=document, auth=(USER, PASSWORD))


@contextmanager
def installed(platform: Platform, network: Network) -> Iterator[Installation]:
    """Install OpenFaaS over a platform and deploy every function."""
    network.open_ports(platform.ports.values())
    url = f"http://127.0.0.1:{pick_free_port()}"
    target = Target(platform="openfaas", store=f"http://{network.gateway}:{platform.ports['s3']}", url=url)
    stack_file = network.folder / "stack.yml"
    stack_file.write_text(render(target)["stack.yml"])
    names = list(deployed_stack(target).functions)
    for name in ("connector", *names):
        platform.stop(name)
    secrets = {f"countermark-{name}": secret(platform, network, name) for name in names}
    with ExitStack() as stack:
        provider = Provider(network, pick_free_port(), secrets)
        provider.open()
        stack.callback(provider.close)
        gateway = start_gateway(network, provider)
        site = cluster_site(platform, target, int(url.rpartition(":")[2]), gateway.removeprefix("http://"))
        stack.enter_context(running_caddy(network.folder / "caddy", site.port, caddyfile(site)))
        connector = start_connector(
            network.folder,
            {
                "SECRETS_DIR": str(platform.folder.secrets / "connector"),
                "FUNCTION_URL": f"{gateway}/function/{{function}}",
            },
            platform.ports["connector"],  # the store's notifications go there
        )
        stack.callback(connector.leave)
        caller = Caller(url, (platform.secret("people-access-key"), platform.secret("people-secret-key")))
        stack.callback(caller.close)
        made = Installation(platform, provider, gateway, network.folder, stack_file, caller, connector)
        made.faas_cli("login", "--username", USER, "--password-stdin", text=PASSWORD)
        made.deploy()
        made.wait_until_settled()
        yield made


def start_gateway(network: Network, provider: Provider) -> str:
    """Start OpenFaaS's gateway as its chart does with our values, and return its address."""
    host = network.add("gw")
    for name, value in {"user": USER, "password": PASSWORD}.items():
        (host.folder / f"basic-auth-{name}").write_text(value)
    times = yaml.safe_load(VALUES.read_text())["gateway"]
    environment = {
        "functions_provider_url": provider.url,
        "faas_prometheus_host": provider.address[0],
        "faas_prometheus_port": str(provider.address[1]),
        "upstream_timeout": times["upstreamTimeout"],
        "read_timeout": times["readTimeout"],
        "write_timeout": times["writeTimeout"],
        "function_namespace": NAMESPACE,
        "direct_functions": "false",
        "scale_from_zero": "true",
        "basic_auth": "true",
        "secret_mount_path": str(host.folder),
    }
    host.start("gateway", [str(program("gateway"))], environment)
    address = f"http://{host.address}:8080"
    wait_until(lambda: is_well(address) or not host.is_alive(), 30)
    assert host.is_alive(), host.log("gateway")
    return address


def is_well(gateway: str) -> bool:
    """Whether the gateway answers, and the provider behind it."""
    try:
        return httpx.get(f"{gateway}/healthz", timeout=2).is_success
    except httpx.TransportError:
        return False


def secret(platform: Platform, network: Network, function: str) -> dict[str, str]:
    """The files of a function's secret; the servers have the machine's address among the hosts."""
    own = {name: platform.secret(f"{function}/{name}") for name in FUNCTION_SECRETS}
    return {name: value.replace("127.0.0.1", network.gateway) for name, value in own.items()}
