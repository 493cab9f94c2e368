"""What became of every image of a job, as the ZIP tells it."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from countermark.jobs.rows import Image, Job
from countermark.jobs.states import ImageState


def report(job: Job, images: Sequence[Image]) -> Iterator[bytes]:
    """The document, a line an image, as it is written; ``file`` is an image's name in the ZIP."""
    done = sum(image.state == ImageState.DONE for image in images)
    counts = {
        "created_at": job.created_at.isoformat(),
        "total": len(images),
        "done": done,
        "failed": len(images) - done,
    }
    yield json.dumps(counts, indent=1)[:-2].encode() + b',\n "images": ['
    between = b"\n  "
    for image in images:
        yield between + json.dumps(_line(image), ensure_ascii=False).encode()
        between = b",\n  "
    yield b"\n ]\n}\n"


def _line(image: Image) -> dict[str, Any]:
    return {
        "name": image.name,
        "state": image.state,
        "file": image.result_name if image.state == ImageState.DONE else None,
        "code": image.code,
        "reason": image.reason,
        "notes": image.notes if image.state == ImageState.DONE else [],
    }
