"""The whole flow, as its users see it: from the start of the upload until the ZIP is there."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
import numpy as np

SHORTEST_POLL = 0.05
LONGEST_POLL = 0.5
"""Seconds between two looks at a job's status: for one user, and as the page does for many."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one scenario took."""

    images: int
    seconds: float
    """From the first upload's start to the last job's end."""
    latencies: list[float]
    """Of each job, in seconds."""

    @property
    def images_a_second(self) -> float:
        """Images marked in a second of the whole scenario."""
        return self.images / self.seconds

    def latency(self, percent: int) -> float:
        """So many percent of the jobs took at most this time, in seconds."""
        return float(np.percentile(self.latencies, percent))


async def measure(url: str, jobs: Sequence[Sequence[bytes]], *, at_once: int) -> Measured:
    """Upload jobs, so many at the same time, and wait until the ZIP of each is downloaded.

    Raises:
        AssertionError: an image was not marked.
    """
    places = asyncio.Semaphore(at_once)
    poll = min(SHORTEST_POLL * at_once, LONGEST_POLL)
    ended: list[str] = []
    async with httpx.AsyncClient(base_url=url, timeout=300, limits=httpx.Limits(max_connections=at_once)) as client:

        async def one(images: Sequence[bytes]) -> float:
            async with places:
                started = time.perf_counter()
                ended.append(await _job(client, images, poll))
                return time.perf_counter() - started

        started = time.perf_counter()
        latencies = await asyncio.gather(*(one(images) for images in jobs))
        seconds = time.perf_counter() - started
        for job in ended:
            await client.delete(f"/job/{job}")
    return Measured(images=sum(map(len, jobs)), seconds=seconds, latencies=list(latencies))


async def _job(client: httpx.AsyncClient, images: Sequence[bytes], poll: float) -> str:
    files = [("files", (f"{number}.jpg", data, "image/jpeg")) for number, data in enumerate(images)]
    answer = await client.post("/function/upload", files=files)
    answer.raise_for_status()
    job = answer.json()["job"]
    while (status := (await client.get(f"/function/status/{job}?images=none")).json())["state"] != "ready":
        assert status["state"] != "failed", status
        await asyncio.sleep(poll)
    assert status["done"] == len(images), status
    async with client.stream("GET", f"/job/{job}/archive", follow_redirects=True) as download:
        received = 0
        async for chunk in download.aiter_raw():
            received += len(chunk)
    assert received == status["archive"]["bytes"]
    return str(job)
