"""Small pictures of a job's images, for those who look at its page."""

from countermark import engine
from countermark.engine.limits import RESULT_MOST
from countermark.http.calls import Event, job_token
from countermark.http.cells import small
from countermark.http.problems import NotAnImage, NotFound, Problem
from countermark.jobs.reading import find_image
from countermark.jobs.states import ImageState
from countermark.servers.objects import RESULTS, NoSuchObject, ObjectTooLarge, Refused
from countermark.services import Services
from flask import Response

LONGEST = 320
LARGEST = 2000
"""The longer side in pixels: by default, and at the most."""


def small_picture(own: Services, event: Event, job: str, number: str) -> Response:
    """A job's marked image, or with ``of=original`` what it was made from, made small.

    Raises:
        NotFound, Expired: there is no such job or picture (yet).
        NotAnImage: the original can't be shown.
    """
    _, image = find_image(own, job_token(job), number)
    if event.query.get("of") == "original":
        bucket, key = image.bucket, image.key
    elif image.result_key and image.state == ImageState.DONE:
        bucket, key = RESULTS, image.result_key
    else:
        raise NotFound("There is no marked copy of this image (yet).", code="not_ready")
    try:
        data, etag = own.objects.read(bucket, key, limit=own.settings.max_file_bytes * RESULT_MOST)
        picture = small(data, own.settings, scope=job, longest=longest_of(event))
    except NoSuchObject as error:
        raise NotFound from error
    except (ObjectTooLarge, Refused, engine.ImageError) as error:
        raise NotAnImage(str(error)) from error
    headers = {"Cache-Control": "private, max-age=3600", "ETag": f'"{etag}"', "Referrer-Policy": "no-referrer"}
    return Response(picture.data, headers=headers, mimetype=picture.media_type)


def longest_of(event: Event) -> int:
    """How many pixels the longer side is to have at the most."""
    text = event.query.get("longest", str(LONGEST))
    if not text.isdecimal() or len(text) > 9 or not 1 <= int(text) <= LARGEST:
        raise Problem(f"longest is a number of pixels from 1 to {LARGEST}.")
    return int(text)
