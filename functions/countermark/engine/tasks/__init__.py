"""The built-in tasks; importing them registers them."""

from .grayscale import Grayscale
from .resize import Resize
from .watermark import Watermark

__all__ = ["Grayscale", "Resize", "Watermark"]
