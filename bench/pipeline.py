"""The whole flow, as its users see it: from the start of the upload until the ZIP is there."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
from httpx import codes

SHORTEST_POLL = 0.01
LONGEST_POLL = 0.5
"""Seconds between two looks at a job's status: when the wait for one image is measured, and as the page does."""

SHOWN = 120
"""Images that the page asks for."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one scenario took."""

    images: int
    seconds: float
    """From the first upload's start to the last job's end."""
    ready: list[float]
    """Of each job, in seconds, from its first byte until its ZIP is ready."""
    latencies: list[float]
    """The same, until the ZIP is downloaded."""

    @property
    def images_a_second(self) -> float:
        """Images marked in a second of the whole scenario."""
        return self.images / self.seconds


async def measure(url: str, jobs: Sequence[Sequence[bytes]], *, at_once: int) -> Measured:
    """Upload jobs, so many at the same time, and wait until the ZIP of each is downloaded.

    Raises:
        AssertionError: an image was not marked.
    """
    places = asyncio.Semaphore(at_once)
    poll = min(SHORTEST_POLL * at_once * len(jobs[0]), LONGEST_POLL)
    ready: list[float] = []
    ended: list[str] = []
    async with httpx.AsyncClient(base_url=url, timeout=300, limits=httpx.Limits(max_connections=at_once)) as client:

        async def one(images: Sequence[bytes]) -> float:
            async with places:
                started = time.perf_counter()
                job, bytes_of_zip = await _until_ready(client, images, poll)
                ready.append(time.perf_counter() - started)
                await _download(client, job, bytes_of_zip)
                ended.append(job)
                return time.perf_counter() - started

        started = time.perf_counter()
        latencies = await asyncio.gather(*(one(images) for images in jobs))
        seconds = time.perf_counter() - started
        for job in ended:
            await client.delete(f"/job/{job}")
    return Measured(images=sum(map(len, jobs)), seconds=seconds, ready=ready, latencies=list(latencies))


async def _until_ready(client: httpx.AsyncClient, images: Sequence[bytes], poll: float) -> tuple[str, int]:
    """Begin a job and ask as the page does until it is ready: its token, and the bytes of its ZIP."""
    files = [("files", (f"{number}.jpg", data, "image/jpeg")) for number, data in enumerate(images)]
    answer = await client.post("/function/upload", files=files)
    answer.raise_for_status()
    job = answer.json()["job"]
    known: dict[str, str] = {}
    while True:
        answer = await client.get(f"/function/status/{job}?first={SHOWN}", headers=known)
        if answer.status_code != codes.NOT_MODIFIED:
            status = answer.json()
            assert status["state"] != "failed", status
            if status["state"] == "ready":
                assert status["done"] == len(images), status
                return job, status["archive"]["bytes"]
            known = {"If-None-Match": answer.headers["ETag"]} if "ETag" in answer.headers else {}
        await asyncio.sleep(poll)


async def _download(client: httpx.AsyncClient, job: str, size: int) -> None:
    async with client.stream("GET", f"/job/{job}/archive", follow_redirects=True) as download:
        received = 0
        async for chunk in download.aiter_raw():
            received += len(chunk)
    assert received == size
