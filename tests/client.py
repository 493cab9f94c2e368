"""A caller of the platform, so that tests read as what people do."""

import io
import json
import time
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore.config import Config
from PIL import Image

PHOTOGRAPHS = sorted((Path(__file__).parent / "photographs").glob("*.jpg"))

File = tuple[str, bytes]
"""A name and what is in the file."""


def longer_pauses() -> Iterator[float]:
    """Seconds between looks at what is to come: short at first; each look takes from those who are waited for."""
    pause = 0.02
    while True:
        yield pause
        pause = min(1.3 * pause, 0.25)


def picture(
    size: tuple[int, int] = (320, 240), colour: str | int = "#336699", kind: str = "JPEG", mode: str = "RGB"
) -> bytes:
    """A small image of one colour."""
    out = io.BytesIO()
    Image.new(mode, size, colour).save(out, kind)
    return out.getvalue()


def is_marked(original: bytes, marked: bytes) -> bool:
    """Whether many pixels differ by more than a codec makes them differ."""
    before, after = (Image.open(io.BytesIO(data)).convert("L") for data in (original, marked))
    assert before.size == after.size
    differences = [abs(a - b) for a, b in zip(before.tobytes(), after.tobytes(), strict=True)]
    return sum(difference > 12 for difference in differences) > len(differences) // 200


@dataclass(frozen=True)
class Caller:
    """Somebody who uses the platform at an address."""

    url: str
    drop_keys: tuple[str, str] = ("", "")
    address: str = ""
    """Of his own, on the loopback: callers with different addresses are different owners."""
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        transport = httpx.HTTPTransport(local_address=self.address or None)
        object.__setattr__(self, "http", httpx.Client(base_url=self.url, timeout=60, transport=transport))

    def close(self) -> None:
        """Close its connections."""
        self.http.close()
        self.s3.close()

    def upload(self, files: Iterable[File], **options: str) -> str:
        """POST files and return the job's id."""
        answer = self.post(files, **options)
        assert answer.status_code == 202, answer.text
        job: str = answer.json()["job"]
        return job

    def post(self, files: Iterable[File], **options: str) -> httpx.Response:
        """POST files as a form does."""
        parts: list[tuple[str, Any]] = [(name, (None, value)) for name, value in options.items()]
        parts += [("files", (name, data)) for name, data in files]
        return self.http.post("/function/upload", files=parts)

    def order(self, files: Iterable[File], **options: Any) -> dict[str, Any]:
        """Begin a job whose images will be sent by links; the answer has them."""
        listed = [{"name": name, "size": len(data)} for name, data in files]
        answer = self.http.post("/function/upload", json={"files": listed, "options": options})
        assert answer.status_code == 202, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def put(self, upload: dict[str, Any], data: bytes) -> int:
        """Send an image by its link; the store's status."""
        return self.http.put(upload["url"], content=data).status_code

    def again(self, job: str, **asked: Any) -> httpx.Response:
        """Ask for a new job from another one's images."""
        return self.http.post(f"/function/upload/{job}/again", json=asked)

    def delete(self, job: str) -> None:
        """Delete a job with everything of it."""
        assert self.http.delete(f"/job/{job}").status_code == 204

    def is_gone(self, job: str) -> bool:
        """Whether the job has expired, as people see it."""
        answer = self.http.get(f"/function/status/{job}")
        return answer.status_code == 410

    def status(self, job: str) -> dict[str, Any]:
        """The job's JSON."""
        answer = self.http.get(f"/function/status/{job}")
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def wait(self, job: str, seconds: float = 60) -> dict[str, Any]:
        """Wait until the job has ended; its JSON."""
        return self.wait_for(job, lambda document: document["state"] in {"ready", "failed"}, seconds)

    def wait_for(self, job: str, wanted: Any, seconds: float = 60) -> dict[str, Any]:
        """Wait until the job's JSON is as wanted."""
        end, pauses = time.monotonic() + seconds, longer_pauses()
        while (document := self._status_if_told(job)) is None or not wanted(document):
            assert time.monotonic() < end, f"after {seconds} s: {json.dumps(document)[:2000]}"
            time.sleep(next(pauses))
        return document

    def _status_if_told(self, job: str) -> dict[str, Any] | None:
        """The job's JSON; None while a server is away."""
        try:
            answer = self.http.get(f"/function/status/{job}")
        except httpx.TransportError:
            return None
        assert answer.status_code in {200, 502, 503}, answer.text
        return answer.json() if answer.status_code == 200 else None

    def archive(self, job: str) -> dict[str, bytes]:
        """What is in the job's ZIP, by name."""
        answer = self.http.get(f"/job/{job}/archive", follow_redirects=True)
        assert answer.status_code == 200, answer.text
        return unpack(answer.content)

    @cached_property
    def s3(self) -> Any:
        """A client of the drop bucket, as a sync tool would be."""
        access_key, secret_key = self.drop_keys
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            region_name="us-east-1",
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )

    def drop(self, key: str, data: bytes) -> None:
        """Put an object into the drop bucket."""
        self.s3.put_object(Bucket="drop", Key=key, Body=data)

    def take_out(self, key: str) -> None:
        """Take an object out of the drop bucket."""
        self.s3.delete_object(Bucket="drop", Key=key)

    def results(self, folder: str) -> set[str]:
        """The names of the marked copies of a drop folder."""
        prefix = f"drop/{folder}/"
        answer = self.s3.list_objects_v2(Bucket="results", Prefix=prefix)
        return {item["Key"].removeprefix(prefix) for item in answer.get("Contents", [])}

    def result(self, key: str, seconds: float = 60) -> bytes:
        """Wait for an object below ``drop/`` of the results."""
        end = time.monotonic() + seconds
        while True:
            try:
                data: bytes = self.s3.get_object(Bucket="results", Key=f"drop/{key}")["Body"].read()
            except self.s3.exceptions.NoSuchKey:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)
            else:
                return data


@contextmanager
def caller_of(platform: Any, address: str = "") -> Iterator[Caller]:
    """Somebody who uses a platform."""
    keys = platform.secret("people-access-key"), platform.secret("people-secret-key")
    caller = Caller(platform.url, keys, address)
    try:
        yield caller
    finally:
        caller.close()


def unpack(data: bytes) -> dict[str, bytes]:
    """What is in a ZIP, by name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {info.filename: archive.read(info) for info in archive.infolist()}


def report_of(files: dict[str, bytes]) -> dict[str, Any]:
    """The report in an unpacked ZIP, its images by name."""
    report: dict[str, Any] = json.loads(files["report.json"])
    report["by_name"] = {image["name"]: image for image in report["images"]}
    return report
