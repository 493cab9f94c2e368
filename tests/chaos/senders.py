"""Clients that send pictures in all ways, as people and programs do: without an acknowledgement they try again."""

import io
import json
import queue
import random
import threading
import time
import zipfile
from collections.abc import Callable, Iterable
from typing import Any

import boto3
import httpx
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from tests.chaos.book import Book, Job, Sent
from tests.chaos.pictures import KINDS, STYLES, Unreadable, read
from tests.platform_driver import Platform

SECONDS_TO_ANSWER = 15
SECONDS_TO_TRY = 240
"""No harm lasts as long: a client that is still not served then has found a fault."""
LATER = {408, 429, 500, 502, 503, 504}
"""Answers after which a client tries again. 500 is told beside."""


class Refused(Exception):
    """A right request was refused, or was not served for minutes."""


class Client:
    """Somebody who sends, one call at a time."""

    def __init__(self, platform: Platform, book: Book) -> None:
        self.book = book
        self.http = httpx.Client(base_url=platform.url, timeout=SECONDS_TO_ANSWER)
        self._platform = platform
        self._s3: Any = None

    def close(self) -> None:
        """Close its connections."""
        self.http.close()
        if self._s3 is not None:
            self._s3.close()

    @property
    def s3(self) -> Any:
        """A client of the drop bucket and the results; the keys are known when the platform has started once."""
        if self._s3 is None:
            self._s3 = boto3.client(
                "s3",
                endpoint_url=self._platform.url,
                aws_access_key_id=self._platform.secret("people-access-key"),
                aws_secret_access_key=self._platform.secret("people-secret-key"),
                region_name="us-east-1",
                config=Config(
                    s3={"addressing_style": "path"},
                    retries={"total_max_attempts": 1},
                    connect_timeout=SECONDS_TO_ANSWER,
                    read_timeout=SECONDS_TO_ANSWER,
                ),
            )
        return self._s3

    def ask(self, method: str, url: str, *, accept: Iterable[int] = (), **request: Any) -> httpx.Response:
        """Call until there is an acknowledgement.

        Args:
            accept: statuses beside success that are an answer here.

        Raises:
            Refused: the answer says that the call is wrong.
        """
        for _ in self._tries(f"{method} {url}"):
            try:
                answer = self.http.request(method, url, **request)
            except httpx.TransportError as error:
                self.book.count_retry(type(error).__name__)
                continue
            if answer.is_success or answer.status_code in {302, 303, *accept}:
                return answer
            if answer.status_code not in LATER:
                raise Refused(f"{method} {url}: {answer.status_code} {answer.text[:300]}")
            self.book.count_retry(f"HTTP {answer.status_code}")
            if answer.status_code == httpx.codes.INTERNAL_SERVER_ERROR and url.startswith("/"):  # not a full store's
                self.book.find("error of ours", f"{method} {url.partition('?')[0][:60]}: 500 {answer.text[:200]}")
        raise Refused(f"{method} {url}: not served in {SECONDS_TO_TRY} s")

    def store(self, call: Callable[[], Any]) -> Any:
        """Call the store until there is an acknowledgement.

        Raises:
            ClientError: the answer says that the call is wrong, or that there is no such object.
        """
        for _ in self._tries("store"):
            try:
                return call()
            except ClientError as error:
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                if status not in LATER:
                    raise
                self.book.count_retry(f"store {status}")
            except (BotoCoreError, HTTPClientError) as error:
                self.book.count_retry(f"store {type(error).__name__}")
        raise Refused(f"the store did not serve in {SECONDS_TO_TRY} s")

    @staticmethod
    def _tries(_what: str) -> Iterable[None]:
        deadline, pause = time.monotonic() + SECONDS_TO_TRY, 0.1
        while time.monotonic() < deadline:
            yield
            time.sleep(pause * random.uniform(0.5, 1))
            pause = min(2 * pause, 2)


class Sender:
    """Makes jobs of pictures and sends them, each in one way."""

    def __init__(self, client: Client, phase: str, chance: random.Random) -> None:
        self._client, self._book, self._phase, self._chance = client, client.book, phase, chance
        self.ways: dict[str, Callable[[Job, int], None]] = {
            "posted": self.post,
            "zip": self.zip,
            "links": self.links,
            "drop": self.drop,
            "again": self.again,
            "by hand": self.by_hand,
        }

    def send(self, way: str, count: int) -> None:
        """Send so many pictures in a way; they are in the book when they are acknowledged."""
        self.ways[way](Job(way, self._phase, self._chance.choice(STYLES)), count)

    def post(self, job: Job, count: int) -> None:
        """One form with every picture."""
        images = self._images(count)
        files = [("files", (image.name, image.data())) for image in images]
        self._post(job, images, files)

    def zip(self, job: Job, count: int) -> None:
        """One ZIP with folders."""
        images = self._images(count, folders=True)
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for image in images:
                archive.writestr(image.name, image.data())
        self._post(job, images, [("files", ("pictures.zip", out.getvalue()))])

    def _post(self, job: Job, images: list[Sent], files: list[Any]) -> None:
        fields = [(name, (None, value)) for name, value in job.style.fields().items()]
        answer = self._client.ask("POST", "/function/upload", files=[*fields, *files])
        job.images = {image.name: image for image in images}
        job.token = answer.json()["job"]
        self._book.add(job)

    def links(self, job: Job, count: int) -> None:
        """Presigned links, of which some are not used."""
        images = self._images(count)
        data = {image.name: image.data() for image in images}
        order = {
            "files": [{"name": name, "size": len(content)} for name, content in data.items()],
            "options": job.style.document(),
        }
        answer = self._client.ask("POST", "/function/upload", json=order).json()
        left_out = set(self._chance.sample(sorted(data), k=count // 10))
        for upload in self._chance.sample(answer["uploads"], k=count):
            if upload["name"] not in left_out:
                # 412: the store had it when its first acknowledgement was lost.
                self._client.ask("PUT", upload["url"], content=data[upload["name"]], accept=[412])
        if left_out or self._chance.random() < 0.5:
            self._client.ask("POST", f"/function/upload/{answer['job']}/close")
        job.images = {image.name: image for image in images if image.name not in left_out}
        job.not_uploaded = left_out
        job.token = answer["job"]
        self._book.add(job)

    def drop(self, job: Job, count: int) -> None:
        """A folder of the drop bucket: files are replaced and removed in it, and its options change."""
        job.folder = f"{self._phase}-{self._book.number()}"
        images = self._images(count, folders=True)
        self._put_options(job)
        for image in images:
            self._put(job, image)
        self._book.add(job)
        changed = self._chance.sample(images, k=count // 4)
        for image in changed:
            self._wait_a_little()
            if self._chance.random() < 0.2 and image is not changed[-1]:  # the store tells nobody of what was removed
                self._remove(job, image)
            else:
                self._put(job, Sent(image.name, image.number, image.version + 1))
        if self._chance.random() < 0.4:
            self._wait_a_little()
            job.style = self._chance.choice(STYLES)
            self._put_options(job)

    def _put(self, job: Job, image: Sent) -> None:
        key, data = f"{job.folder}/{image.name}", image.data()
        self._client.store(lambda: self._client.s3.put_object(Bucket="drop", Key=key, Body=data))
        job.images[image.name] = image

    def _remove(self, job: Job, image: Sent) -> None:
        key = f"{job.folder}/{image.name}"
        self._client.store(lambda: self._client.s3.delete_object(Bucket="drop", Key=key))
        del job.images[image.name]

    def _put_options(self, job: Job) -> None:
        key, data = f"{job.folder}/countermark.json", json.dumps(job.style.document()).encode()
        self._client.store(lambda: self._client.s3.put_object(Bucket="drop", Key=key, Body=data))

    def _wait_a_little(self) -> None:
        """So that it falls before, into and after the marking, and sometimes after the ZIP."""
        time.sleep(self._chance.choice([0, 0.05, 0.2, 1, 6]))

    def again(self, job: Job, count: int) -> None:
        """A posted job, and another one of its pictures with other options."""
        first = Job("posted", self._phase, self._chance.choice(STYLES))
        self.post(first, max(1, count // 2))
        self._wait_a_little()
        answer = self._client.ask(
            "POST", f"/function/upload/{first.token}/again", json={"options": job.style.document()}
        )
        job.images = dict(first.images)
        job.token = answer.json()["job"]
        self._book.add(job)

    def by_hand(self, job: Job, count: int) -> None:
        """One picture after the other, each answered with its marked copy."""
        for image in self._images(count):
            tasks = json.dumps(job.style.document()["tasks"])
            answer = self._client.ask("POST", "/function/watermark", params={"tasks": tasks}, content=image.data())
            job.images[image.name] = image
            try:
                seen = read(answer.content)
            except Unreadable as error:
                self._book.find("wrong", f"{image.name} by hand: {error}")
                continue
            if (seen.number, seen.version, seen.style) != (image.number, image.version, job.style):
                self._book.find("wrong", f"{image.name} by hand: {seen}, not {image} with {job.style}")
        self._book.count_checked(job, count)

    def _images(self, count: int, *, folders: bool = False) -> list[Sent]:
        images = []
        for _ in range(count):
            number = self._book.number()
            folder = self._chance.choice(["", "day 1/", "Zoë/"]) if folders else ""
            images.append(Sent(f"{folder}{number}.{self._chance.choice(list(KINDS))}", number))
        return images


WEIGHTS = {"posted": 25, "zip": 20, "links": 20, "drop": 20, "again": 10, "by hand": 5}


def orders(total: int, chance: random.Random) -> list[tuple[str, int]]:
    """Ways and numbers of pictures that come to a total; every way comes first."""
    found: list[tuple[str, int]] = []
    left = total
    while left > 0:
        first = list(WEIGHTS)[len(found) : len(found) + 1]
        way = first[0] if first else chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        count = min(left, chance.choice([1, 2, 5, 10, 20, 40]), 5 if way == "by hand" else max(2, total // 10))
        found.append((way, count))
        left -= count
    return found


class Crowd:
    """Several clients at work in threads of their own."""

    def __init__(self, platform: Platform, book: Book, phase: str, seed: int, total: int, clients: int = 8) -> None:
        self._platform, self._book, self._phase, self._seed = platform, book, phase, seed
        self._orders: queue.SimpleQueue[tuple[int, str, int]] = queue.SimpleQueue()
        for number, (way, count) in enumerate(orders(total, random.Random(f"{seed} {phase}"))):
            self._orders.put((number, way, count))
        self._pause = 0.0
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(clients)]

    def start(self, seconds: float = 0) -> None:
        """Begin to send.

        Args:
            seconds: over which the jobs are to be spread.
        """
        self._pause = seconds * len(self._threads) / max(1, self._orders.qsize())
        for thread in self._threads:
            thread.start()

    @property
    def at_work(self) -> bool:
        """Whether something is still being sent."""
        return any(thread.is_alive() for thread in self._threads)

    def wait(self) -> None:
        """Return when everything is sent."""
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        client = Client(self._platform, self._book)
        try:
            while True:
                try:
                    number, way, count = self._orders.get_nowait()
                except queue.Empty:
                    return
                began = time.monotonic()
                chance = random.Random(f"{self._seed} {self._phase} {number}")
                try:
                    Sender(client, self._phase, chance).send(way, count)
                except (Refused, ClientError) as error:
                    self._book.find("refused", f"{way}, {count} images, {self._phase}: {error}")
                except Exception as error:  # whatever it is, the run goes on and tells
                    self._book.find("harness", f"{way}, {count} images, {self._phase}: {error!r}")
                time.sleep(max(0, self._pause - (time.monotonic() - began)))
        finally:
            client.close()
