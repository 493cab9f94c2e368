"""An image task of one's own. Rename it, give it options, and write `edit`.

This file in the folder tasks/ of the assets makes the task known to jobs as well.
"""

from typing import Literal

from countermark import engine
from PIL import Image, ImageOps


@engine.register
class Mirror(engine.ImageTask):
    """Mirror the picture."""

    task: Literal["mirror"] = "mirror"

    upside_down: bool = False
    """Whether top and bottom change places too."""

    def edit(self, image: Image.Image, picture: engine.Picture) -> Image.Image:  # noqa: ARG002 -- others ask it things
        """Return the mirrored picture."""
        image = ImageOps.mirror(image)
        return ImageOps.flip(image) if self.upside_down else image
