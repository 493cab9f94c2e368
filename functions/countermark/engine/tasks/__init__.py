"""The built-in tasks; importing them registers them."""

from .convert import Convert
from .grayscale import Grayscale
from .resize import Resize
from .strip import Strip
from .watermark import Watermark

__all__ = ["Convert", "Grayscale", "Resize", "Strip", "Watermark"]
