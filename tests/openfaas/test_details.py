"""Large uploads, and secrets of one value each."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import yaml

from tests.client import PHOTOGRAPHS, Caller
from tests.openfaas.installation import FUNCTION_SECRETS, Installation
from tests.openfaas.replicas import Replica

MIB = 1024 * 1024
LARGE = 99 * MIB
MOST = 64 * MIB
"""More than what a process that streams has more after a large upload, and less than the upload."""


def peaks(replica: Replica) -> Iterator[tuple[str, int]]:
    """The most memory that each process of a replica has had, by its name."""
    for pid in replica.host.quota.pids():
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        values = dict(line.split(":", 1) for line in lines)
        yield psutil.Process(pid).name(), int(values["VmHWM"].split()[0]) * 1024


def test_a_large_upload_is_in_nobodys_memory(openfaas: Installation, caller: Caller) -> None:
    (replica,) = openfaas.provider.functions["upload"].replicas
    caller.wait(caller.upload([("small.jpg", PHOTOGRAPHS[0].read_bytes())]))
    before = dict(peaks(replica))
    photograph = PHOTOGRAPHS[0].read_bytes()
    job = caller.upload([("large.jpg", photograph + bytes(LARGE - len(photograph)))])
    after = dict(peaks(replica))
    print({name: f"{after[name] // MIB} MiB, {(after[name] - before[name]) // MIB} more" for name in after})
    assert len(after) == 2
    assert all(after[name] - before[name] < MOST for name in after)
    assert caller.wait(job)["done"] == 1


def test_secrets_of_one_value_each_are_taken(openfaas: Installation, tmp_path: Path) -> None:
    """As faas-cli makes them, and as faasd has them: a file has the name of its secret."""
    files = openfaas.provider.secrets["countermark-status"]
    for name in FUNCTION_SECRETS:
        openfaas.faas_cli("secret", "create", name, text=files[name])
    stack = yaml.safe_load(openfaas.stack_file.read_text())
    stack["functions"] = {"status": stack["functions"]["status"] | {"secrets": list(FUNCTION_SECRETS)}}
    path = tmp_path / "stack.yml"
    path.write_text(yaml.safe_dump(stack))
    openfaas.faas_cli("deploy", "--yaml", str(path))
    openfaas.wait_until_settled()
    assert openfaas.provider.functions["status"].asked["secrets"] == list(FUNCTION_SECRETS)
    answer = httpx.get(f"{openfaas.gateway}/function/status/{'0' * 32}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
