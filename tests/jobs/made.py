"""Jobs as tests of single steps need them, made by the steps before."""

import io
from typing import Any

from countermark.jobs import folders, images, opening
from countermark.jobs.images import Result, Taken
from countermark.jobs.keys import posted_key
from countermark.jobs.opening import NewImage, NewJob
from countermark.jobs.reading import find_job_by_id
from countermark.jobs.rows import IMAGE_COLUMNS, Image, Job, fetch
from countermark.servers.objects import DROP, UPLOADS
from countermark.services import Services
from PIL import Image as Picture

ALICE, BOB = "address:192.0.2.1", "address:192.0.2.2"


def picture(size: tuple[int, int] = (16, 16), kind: str = "PNG", colour: str = "#336699") -> bytes:
    """A small image of one colour."""
    out = io.BytesIO()
    Picture.new("RGB", size, colour).save(out, kind)
    return out.getvalue()


def opened(own: Services, *names: str, owner: str = ALICE, options: dict[str, Any] | None = None) -> NewJob:
    """A job that receives images of these names, whose bytes are not there yet."""
    job = opening.new_job()
    new = [NewImage(number=n, name=name, key=posted_key(job.id, n)) for n, name in enumerate(names, 1)]
    opening.open_job(own, job, owner, options or {}, new)
    return job


def arrived(own: Services, job: NewJob, number: int, data: bytes | None = None) -> str:
    """The bytes of an image of a job have come."""
    data = picture() if data is None else data
    etag = own.objects.write(UPLOADS, posted_key(job.id, number), data, "image/png")
    return opening.arrive(own, job.id, number, etag=etag, size=len(data))


def uploaded(
    own: Services, *names: str, owner: str = ALICE, options: dict[str, Any] | None = None, data: bytes | None = None
) -> NewJob:
    """A job all of whose images have come."""
    job = opened(own, *names, owner=owner, options=options)
    for number in range(1, len(names) + 1):
        assert arrived(own, job, number, data) == "arrived"
    opening.seal(own, job.id)
    return job


def dropped(own: Services, key: str, data: bytes | None = None) -> str:
    """Somebody has dropped a file, and the rows are told; what they made of it."""
    own.objects.write(DROP, key, picture() if data is None else data, "image/png")
    return folders.take(own, own.objects.stat(DROP, key))


def folder_job(own: Services, folder: str) -> Job:
    """The job of a drop folder."""
    (found,) = rows(own, "SELECT id FROM jobs WHERE folder = :folder AND state <> 'gone'", folder=folder)
    return job_row(own, found[0])


def taken(own: Services, job_id: str, number: int = 1, revision: int = 1) -> Taken:
    """A function has taken an image."""
    found = images.take(own, job_id, number, revision)
    assert found is not None
    return found


def result_of(own: Services, image: Taken, name: str = "") -> Result:
    """The result of an attempt, which is stored."""
    data = f"marked {image.lease}".encode()
    own.objects.write("results", image.result_key, data, "image/png")
    return Result(bytes=len(data), name=name or image.name, format="png", width=16, height=16)


def marked(own: Services, job_id: str, number: int = 1, revision: int = 1, name: str = "") -> Taken:
    """An image is marked."""
    image = taken(own, job_id, number, revision)
    assert images.finish(own, image, 100, result_of(own, image, name)) is not None
    return image


def rows(own: Services, sql: str, **parameters: Any) -> list[Any]:
    """The rows of a statement."""
    return own.database.rows(sql, **parameters)


def value(own: Services, sql: str, **parameters: Any) -> Any:
    """The only value of a statement."""
    return own.database.call(sql, **parameters)


def change(own: Services, sql: str, **parameters: Any) -> None:
    """Change rows, such as the time."""
    own.database.rows(sql, **parameters)


def job_row(own: Services, job_id: str) -> Job:
    """A job, whatever its state."""
    job = find_job_by_id(own, job_id)
    assert job is not None
    return job


def image_row(own: Services, job_id: str, number: int = 1) -> Image:
    """An image, whatever its state."""
    sql = f"SELECT {IMAGE_COLUMNS} FROM images WHERE job_id = :job AND number = :number"
    (image,) = own.database.query(lambda connection: fetch(Image, connection, sql, job=job_id, number=number))
    return image


def ledger(own: Services, job_id: str) -> set[tuple[str, str]]:
    """The objects of a job that are written down."""
    return {(bucket, key) for bucket, key in rows(own, "SELECT bucket, key FROM ledger WHERE job_id = :j", j=job_id)}


def sent(own: Services, kind: str = "") -> list[str]:
    """The subjects of messages that the stream has."""
    return sorted(subject for subject in own.publisher.messages if subject.startswith(kind))  # type: ignore[attr-defined]


def stored(own: Services, bucket: str) -> list[str]:
    """The keys that a bucket has."""
    return [item.key for item in own.objects.list(bucket)]
