"""A body as it comes, with what may be asked of its sender: not too much of it, and not too slowly."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from countermark.http.problems import Problem, TooLarge, TooSlow


class Source(Protocol):
    """Where the bytes come from."""

    async def readany(self) -> bytes:
        """The next ones, as soon as there are any; none at the end.

        Raises:
            OSError, ValueError: they will not come.
        """


@dataclass(frozen=True, kw_only=True)
class LeastRate:
    """How fast bytes must come. Only the time counts in which nothing is there to be taken."""

    bytes_a_second: int = 1024
    """Less than any connection that a phone stays on."""
    seconds: float = 60
    """Over which it is measured."""
    grace_seconds: float = 30
    """Before that, for whoever has just connected."""


class Body:
    """The body of a request, to be read once."""

    def __init__(self, source: Source, *, limit: int, least: LeastRate) -> None:
        """Nothing is read yet.

        Args:
            limit: in bytes.
        """
        self._source, self._limit, self._least = source, limit, least
        self._count = 0
        self._seconds_left = least.grace_seconds + least.seconds
        self._bytes_left = least.seconds * least.bytes_a_second

    async def chunks(self) -> AsyncIterator[bytes]:
        """Its bytes, as they come.

        Raises:
            TooLarge, TooSlow: as they say.
            Problem: it is cut off, or broken.
        """
        while chunk := await self._next():
            self._count += len(chunk)
            if self._count > self._limit:
                raise too_large(self._limit)
            yield chunk

    async def _next(self) -> bytes:
        clock = asyncio.get_running_loop().time
        before = clock()
        try:
            async with asyncio.timeout(self._seconds_left):
                chunk = await self._source.readany()
        except TimeoutError:
            if self._bytes_left > 0:
                raise TooSlow from None
            self._begin_window()
            return await self._next()
        except (OSError, ValueError) as error:
            raise Problem("The body is cut off.") from error
        self._bytes_left -= len(chunk)
        self._seconds_left -= clock() - before
        return chunk

    def _begin_window(self) -> None:
        self._seconds_left = self._least.seconds
        self._bytes_left = self._least.seconds * self._least.bytes_a_second


def too_large(limit: int) -> TooLarge:
    """What is said of a body that has more bytes than it may."""
    return TooLarge(f"The request has more than the {limit} bytes that it may have.")
