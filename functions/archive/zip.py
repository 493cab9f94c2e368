"""The ZIP of a job's marked images, made in a temporary file: its memory does not grow with the job."""

import json
import tempfile
import zipfile
from datetime import datetime
from typing import Any

from countermark.jobs import Image, Job
from countermark.names import unique_names
from countermark.servers.objects import DROP, RESULTS, NoSuchObject, ObjectStore

REPORT_NAME = "report.json"


def archive_key(job: Job) -> str:
    """Where the job's ZIP is: beside the marked folder for a drop, under the job's id otherwise."""
    if job.source != "drop":
        return f"{job.id}.zip"
    return f"{DROP}/{job.folder}.zip" if job.folder else f"{DROP}.zip"


def write_zip(objects: ObjectStore, job: Job, images: list[Image]) -> tuple[str, int]:
    """Store the ZIP with every image that is done and a report on all of them.

    Images are stored, not deflated: compressed pictures do not shrink. Names are UTF-8, equal ones numbered.

    Returns:
        The ZIP's key in the results, and its size in bytes.
    """
    done = [image for image in images if image.state == "done"]
    # The report takes its name first: an image of that name is numbered.
    names = unique_names([REPORT_NAME, *(image.result_name or image.name for image in done)])[1:]
    files = dict(zip((image.number for image in done), names, strict=True))
    key = archive_key(job)
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for image in done:
                _add_image(objects, archive, image, files, job.created_at)
            document = json.dumps(report(job, images, files), indent=1, ensure_ascii=False)
            archive.writestr(zipfile.ZipInfo(REPORT_NAME, job.created_at.timetuple()[:6]), document)
        file.seek(0)
        return key, objects.write_stream(RESULTS, key, file, "application/zip")[1]


def _add_image(
    objects: ObjectStore, archive: zipfile.ZipFile, image: Image, files: dict[int, str], time: datetime
) -> None:
    assert image.result_key is not None  # noqa: S101 -- an image that is done has a result
    chunks = objects.chunks(RESULTS, image.result_key)
    try:
        first = next(chunks, b"")
    except NoSuchObject:
        files.pop(image.number)  # somebody deleted it from the bucket: the report tells
        return
    entry = zipfile.ZipInfo(files[image.number], time.timetuple()[:6])
    entry.file_size = image.result_bytes or 0
    with archive.open(entry, "w") as target:
        target.write(first)
        for chunk in chunks:
            target.write(chunk)


def report(job: Job, images: list[Image], files: dict[int, str]) -> dict[str, Any]:
    """What became of every image of the job; ``file`` is its name in the ZIP."""
    return {
        "job": job.id,
        "created_at": job.created_at.isoformat(),
        "total": len(images),
        "done": len(files),
        "failed": len(images) - len(files),
        "images": [
            {
                "name": image.name,
                "state": image.state,
                "file": files.get(image.number),
                "code": image.code,
                "reason": image.reason,
            }
            for image in images
        ],
    }
