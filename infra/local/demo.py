"""A job from its first to its last step, told as it goes: the sample photographs through the real flow."""

import time
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from infra.errors import PlatformError
from infra.project import ROOT

PHOTOGRAPHS = ROOT / "tests" / "photographs"
SECONDS_BETWEEN_LOOKS = 0.1
SECONDS_TO_END = 120
ENDED = {"ready", "failed"}
IMAGE_ENDED = {"done", "failed"}


def run_demo(url: str, target: Path, say: Callable[[str], None]) -> None:
    """Mark the sample photographs on the platform at ``url`` and write the ZIP to ``target``.

    Raises:
        PlatformError: the job did not end well.
    """
    with httpx.Client(base_url=url, timeout=60, follow_redirects=True) as client:
        started = time.monotonic()
        job = _upload(client, sorted(PHOTOGRAPHS.glob("*.jpg")), say)
        document = _watch(client, job, started, say)
        if document["state"] != "ready":
            raise PlatformError(f"The job failed: {document['reason']}")
        archive = document["archive"]
        say(f"Archive   {archive['name']}, {_size(archive['bytes'])}, after {time.monotonic() - started:.2f} s")
        _download(client, archive["url"], target)
    say(f"Written   {target} with {', '.join(zipfile.ZipFile(target).namelist())}")


def _upload(client: httpx.Client, paths: list[Path], say: Callable[[str], None]) -> dict[str, str]:
    size = sum(path.stat().st_size for path in paths)
    say(f"Upload    {len(paths)} photographs, {_size(size)}, to {client.base_url}/function/upload")
    with ExitStack() as stack:
        files = [("files", (path.name, stack.enter_context(path.open("rb")))) for path in paths]
        answer = client.post("/function/upload", data={"text": "Countermark"}, files=files)
    if answer.status_code != httpx.codes.ACCEPTED:
        raise PlatformError(f"The upload was answered with {answer.status_code}: {answer.text}")
    job: dict[str, str] = answer.json()
    say(f"Job       {job['page']}")
    return job


def _watch(client: httpx.Client, job: dict[str, str], started: float, say: Callable[[str], None]) -> dict[str, Any]:
    """Follow the job until it has ended, telling of each image when it has."""
    told: set[int] = set()
    while (seconds := time.monotonic() - started) < SECONDS_TO_END:
        document: dict[str, Any] = client.get(job["status"], headers={"Accept": "application/json"}).json()
        for image in document["images"]:
            if image["state"] in IMAGE_ENDED and image["number"] not in told:
                told.add(image["number"])
                reason = f": {image['reason']}" if image["reason"] else ""
                say(f"Image     {image['name']} {image['state']} after {seconds:.2f} s{reason}")
        if document["state"] in ENDED:
            return document
        time.sleep(SECONDS_BETWEEN_LOOKS)
    raise PlatformError(f"The job has not ended after {SECONDS_TO_END} s.")


def _download(client: httpx.Client, url: str, target: Path) -> None:
    with client.stream("GET", url) as answer, target.open("wb") as file:
        answer.raise_for_status()
        for block in answer.iter_bytes():
            file.write(block)


def _size(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"
