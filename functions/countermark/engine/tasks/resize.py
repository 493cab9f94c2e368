"""The task that makes a picture smaller."""

from typing import Literal, Self

from PIL import Image
from pydantic import Field, model_validator

from ..deep import Deep
from ..layout import Size
from ..task import ImageTask, Picture, register

LONGEST = 16_384


@register
class Resize(ImageTask):
    """Make the picture fit into a width and a height, in its own proportions."""

    task: Literal["resize"] = "resize"

    width: int | None = Field(default=None, ge=1, le=LONGEST)
    """Largest width in pixels."""

    height: int | None = Field(default=None, ge=1, le=LONGEST)
    """Largest height in pixels."""

    enlarge: bool = False
    """Whether a smaller picture is made larger."""

    @model_validator(mode="after")
    def _has_a_size(self) -> Self:
        if self.width is None and self.height is None:
            raise ValueError("Give a width or a height or both.")
        return self

    def edit(self, image: Image.Image, picture: Picture) -> Image.Image:  # noqa: ARG002
        """Return the picture fitted."""
        size = self.size_of(image.size)
        return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)

    def edit_deep(self, image: Deep, picture: Picture) -> Deep:  # noqa: ARG002
        """Return a picture of 16 bits fitted."""
        size = self.size_of(image.size)
        return image if size == image.size else image.resized(size)

    def size_of(self, size: Size) -> Size:
        """Return the size of the fitted picture."""
        width, height = size
        scale = min(
            self.width / width if self.width else float("inf"),
            self.height / height if self.height else float("inf"),
        )
        if scale == 1 or (scale > 1 and not self.enlarge):
            return size
        return max(round(width * scale), 1), max(round(height * scale), 1)

    @property
    def keeps_grey(self) -> bool:
        """Always."""
        return True
