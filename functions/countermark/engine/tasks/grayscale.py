"""The task that takes the colours away."""

from typing import Literal

from PIL import Image

from ..color import to_srgb
from ..deep import Deep, Frame
from ..task import ImageTask, Picture, register


@register
class Grayscale(ImageTask):
    """Make the picture grey."""

    task: Literal["grayscale"] = "grayscale"

    def edit(self, image: Image.Image, picture: Picture) -> Image.Image:
        """Return the picture's lightness."""
        if image.mode in {"L", "LA"}:
            return image
        if image.mode == "CMYK":
            image = to_srgb(image, picture.profile)
        return image.convert("LA" if image.mode == "RGBA" else "L")

    def edit_deep(self, image: Deep, picture: Picture) -> Frame:
        """Return the lightness of a picture of 16 bits; that of inks has 8."""
        return self.edit(image.shallow(), picture) if image.mode == "CMYK" else image.greyed()

    @property
    def keeps_grey(self) -> bool:
        """Always."""
        return True
