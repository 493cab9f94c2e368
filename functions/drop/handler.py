"""drop: takes what the object store announces.

message objects.created   an object in `drop` becomes an image of its folder's job; one in `uploads` has come by a
                          presigned link
"""

from typing import Any

from countermark.http.calls import DONE, Event, is_message, json_object
from countermark.http.problems import WrongMethod
from countermark.jobs.messages import OBJECTS_CREATED
from countermark.servers.notifications import read_created
from countermark.services import services

from .arrival import take_object


def handle(event: Event, context: Any) -> Any:  # noqa: ARG001 -- the platform's signature
    """Take each object that a message tells of."""
    if not is_message(event, OBJECTS_CREATED):
        raise WrongMethod("The object store announces what it has stored; nobody needs to call this.")
    for created in read_created(json_object(event.body)):
        take_object(services(), created.bucket, created.key)
    return DONE
