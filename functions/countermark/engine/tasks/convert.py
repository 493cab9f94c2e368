"""The task that changes the format."""

from typing import Literal

from pydantic import Field

from ..formats import FormatName
from ..task import Output, OutputTask, register


@register
class Convert(OutputTask):
    """Write the picture in another format or quality."""

    task: Literal["convert"] = "convert"

    format: FormatName | None = None
    """The format; left out, it stays."""

    quality: int | None = Field(default=None, ge=1, le=100)
    """Quality of a lossy format."""

    def change(self, output: Output) -> None:
        """Set what is given."""
        output.format = self.format or output.format
        output.quality = self.quality or output.quality
