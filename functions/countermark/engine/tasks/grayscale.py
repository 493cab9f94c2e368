"""The task that takes the colours away."""

from typing import Literal

from PIL import Image

from ..color import to_srgb
from ..task import ImageTask, Picture, register


@register
class Grayscale(ImageTask):
    """Make the picture grey."""

    task: Literal["grayscale"] = "grayscale"

    def edit(self, image: Image.Image, picture: Picture) -> Image.Image:
        """Return the picture's lightness."""
        if image.mode in {"L", "LA", "I;16"}:
            return image
        if image.mode == "CMYK":
            image = to_srgb(image, picture.profile)
        return image.convert("LA" if image.mode == "RGBA" else "L")
