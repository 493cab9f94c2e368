"""Small pictures of a job's images, for those who look at its page."""

from countermark import engine
from countermark.http.calls import Event, job_id_of
from countermark.http.problems import Expired, NotAnImage, NotFound, Problem
from countermark.servers.objects import RESULTS, NoSuchObject, ObjectTooLarge
from countermark.services import services
from flask import Response

LONGEST = 320
LARGEST = 2000
"""The longer side in pixels: by default, and at the most."""


def small_picture(event: Event, job: str, number: str) -> Response:
    """A job's marked image, or with ``of=original`` what it was made from, made small.

    Raises:
        NotFound, Expired: there is no such job or picture (yet).
        NotAnImage: the original can't be shown.
    """
    own = services()
    found = own.jobs.find_job(job_id_of(job))
    if found is not None and found.state == "expired":
        raise Expired
    image = own.jobs.image(job, int(number)) if number.isdecimal() and len(number) < 7 else None
    if image is None:
        raise NotFound
    if event.query.get("of") == "original":
        bucket, key = image.bucket, image.key
    elif image.result_key and image.state == "done":
        bucket, key = RESULTS, image.result_key
    else:
        raise NotFound("There is no marked copy of this image (yet).", code="not_ready")
    try:
        data, etag = own.objects.read(bucket, key, limit=own.settings.max_file_bytes * 4)
        picture = engine.preview(data, engine.Options(tasks=()), longest=longest_of(event))
    except NoSuchObject as error:
        raise NotFound from error
    except (ObjectTooLarge, engine.ImageError) as error:
        raise NotAnImage(str(error)) from error
    headers = {"Cache-Control": "private, max-age=3600", "ETag": f'"{etag}"', "Referrer-Policy": "no-referrer"}
    return Response(picture.data, headers=headers, mimetype=picture.media_type)


def longest_of(event: Event) -> int:
    """How many pixels the longer side is to have at the most."""
    text = event.query.get("longest", str(LONGEST))
    if not text.isdecimal() or not 1 <= int(text[:9]) <= LARGEST:
        raise Problem(f"longest is a number of pixels from 1 to {LARGEST}.")
    return int(text)
