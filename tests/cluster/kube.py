"""The cluster as one who works with it sees it: through kubectl."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infra.tools import install
from tests.platform_driver import wait_until

Object = dict[str, Any]
"""A Kubernetes object."""


class Kube:
    """kubectl with a kubeconfig.

    Args:
        kubeconfig: of the administrator.
    """

    def __init__(self, kubeconfig: Path) -> None:
        self._command = [str(install("kubectl")), f"--kubeconfig={kubeconfig}"]

    def run(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl and return what it prints; a failure fails the test with what it said."""
        done = subprocess.run(
            [*self._command, *arguments], input=stdin, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def apply(self, *objects: Object) -> None:
        """Make objects, or make them so."""
        self.apply_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def apply_text(self, text: str) -> None:
        """The same, from YAML or JSON."""
        self.run("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)

    def get(self, *arguments: str) -> Object:
        """One object, or a list of them in ``items``."""
        found: Object = json.loads(self.run("get", "-o", "json", *arguments))
        return found

    def items(self, *arguments: str) -> list[Object]:
        """The objects of a list."""
        items: list[Object] = self.get(*arguments)["items"]
        return items

    def wait(self, condition: str, *what: str, seconds: float = 120) -> None:
        """Wait until an object is so, such as ``condition=Ready``."""
        self.run("wait", f"--for={condition}", f"--timeout={seconds}s", *what)

    def until(self, check: Callable[[], object], seconds: float = 60) -> None:
        """Wait until something holds; the cluster's own servers may not answer yet."""

        def holds() -> object:
            try:
                return check()
            except AssertionError:
                return False

        wait_until(holds, seconds)

    def logs(self, namespace: str, pod: str, *arguments: str) -> str:
        """What a Pod wrote."""
        return self.run("logs", f"--namespace={namespace}", pod, *arguments)
