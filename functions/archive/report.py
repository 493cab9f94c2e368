"""What became of every image of a job, as the ZIP tells it."""

from typing import Any

from countermark.jobs.rows import Image, Job
from countermark.jobs.states import ImageState


def report(job: Job, images: list[Image]) -> dict[str, Any]:
    """The document; ``file`` is an image's name in the ZIP."""
    done = sum(image.state == ImageState.DONE for image in images)
    return {
        "created_at": job.created_at.isoformat(),
        "total": len(images),
        "done": done,
        "failed": len(images) - done,
        "images": [
            {
                "name": image.name,
                "state": image.state,
                "file": image.result_name if image.state == ImageState.DONE else None,
                "code": image.code,
                "reason": image.reason,
            }
            for image in images
        ],
    }
