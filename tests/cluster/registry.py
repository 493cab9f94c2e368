"""Images made here, and the registry on the first machine that nodes pull them from."""

import hashlib
import io
import json
import tarfile
from pathlib import Path

import httpx

from infra.tools import install
from tests.cluster.machine import Machine
from tests.platform_driver import wait_until

PORT = 5000
PAUSE = "pause:1"
USER_ID = 10001
"""Nobody's, as that of our images."""
SECONDS = 120

REGISTRY = f"""
version: 0.1
log: {{accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: /var/lib/registry}}}}
http: {{addr: ":{PORT}"}}
"""


class Registry:
    """The registry; its address is a number, which clients take for one without TLS."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.name = f"{machine.address}:{PORT}"
        self._url = f"http://{self.name}/v2"

    def open(self) -> None:
        """Start it, empty."""
        settings = self._machine.write("/var/lib/registry.yml", REGISTRY)
        self._machine.start("registry", install("registry"), "serve", settings)
        wait_until(self._answers)

    def image(self, name: str) -> str:
        """The whole name of an image."""
        return f"{self.name}/{name}"

    def push_program(self, name: str, program: Path, path: str, *arguments: str) -> None:
        """An image that holds one program and starts it as a user without rights.

        Args:
            name: with its tag.
            program: it needs no libraries.
            path: where it is in the image.
        """
        layer = _layer(program, path)
        configuration = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Entrypoint": [path, *arguments], "User": f"{USER_ID}:{USER_ID}"},
                "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
            }
        ).encode()
        repository, _, tag = name.rpartition(":")
        kind = "application/vnd.oci.image"
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{kind}.manifest.v1+json",
            "config": self._push_blob(repository, configuration, f"{kind}.config.v1+json"),
            "layers": [self._push_blob(repository, layer, f"{kind}.layer.v1.tar")],
        }
        address = f"{self._url}/{repository}/manifests/{tag}"
        headers = {"Content-Type": manifest["mediaType"]}
        httpx.put(address, content=json.dumps(manifest), headers=headers, timeout=SECONDS).raise_for_status()

    def _push_blob(self, repository: str, content: bytes, kind: str) -> dict[str, str | int]:
        begun = httpx.post(f"{self._url}/{repository}/blobs/uploads/", timeout=SECONDS).raise_for_status()
        digest = _digest(content)
        address = httpx.URL(begun.headers["Location"]).copy_merge_params({"digest": digest})
        httpx.put(address, content=content, timeout=SECONDS).raise_for_status()
        return {"mediaType": kind, "digest": digest, "size": len(content)}

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self._url}/").is_success
        except httpx.HTTPError:
            return False


def _layer(program: Path, path: str) -> bytes:
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        entry = tarfile.TarInfo(path.lstrip("/"))
        entry.size, entry.mode = program.stat().st_size, 0o755
        with program.open("rb") as file:
            archive.addfile(entry, file)
    return layer.getvalue()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
