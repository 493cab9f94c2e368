"""A function that does one image task.

curl -f --data-binary @photo.jpg "$GATEWAY/function/<name>?upside_down=true" -o edited.jpg
"""

from typing import Any

from countermark.http.calls import Event
from countermark.http.edit import edit_body

from .task import Mirror


def handle(event: Event, context: Any) -> Any:  # noqa: ARG001 -- the platform's signature
    """The image in the body, edited as the query says."""
    return edit_body(event, task=Mirror().task)
