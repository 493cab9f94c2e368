"""HEIC files for tests: the engine only reads them, with another package."""

from typing import IO

import pillow_heif
from PIL import Image


def write(image: Image.Image, file: IO[bytes], _name: str | bytes) -> None:
    """Write an image as Pillow's writers do."""
    pillow_heif.from_pillow(image).save(file, **image.encoderinfo)


Image.register_save("HEIF", write)
