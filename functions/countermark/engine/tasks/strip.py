"""The task that removes metadata."""

from typing import Literal

from ..task import Output, OutputTask, register


@register
class Strip(OutputTask):
    """Remove EXIF, XMP, IPTC and comments, or the location in them alone."""

    task: Literal["strip"] = "strip"

    only: Literal["location"] | None = None
    """What is removed; left out, everything is."""

    def change(self, output: Output) -> None:
        """Keep less than before, never more."""
        if self.only is None:
            output.metadata = "none"
        elif output.metadata == "keep":
            output.metadata = "no-location"
