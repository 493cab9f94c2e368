"""Marks painted on the pixels of a picture, in the picture's own colours."""

from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

from .mark import Sprite

Spots = list[tuple[int, int]]


def paint(image: Image.Image, sprite: Sprite, spots: Spots, profile: bytes | None) -> Image.Image:
    """Return `image` with the mark at every spot; only the pixels under a mark change.

    `profile` is the ICC profile of the picture: the mark is brought into it, never the picture out of it.
    """
    if image.mode in {"L", "LA", "I;16"} and not sprite.grey:
        image = image.convert("RGBA" if image.mode == "LA" else "RGB")
    if image.mode == "LA":
        return paint(image.convert("RGBA"), sprite, spots, None).convert("LA")
    if image.mode == "I;16":
        return _paint_deep(image, sprite, spots)
    alpha = sprite.image.getchannel("A")
    mark = in_profile(sprite, "RGB" if image.mode == "RGBA" else image.mode, profile)
    if image.mode == "RGBA":
        mark.putalpha(alpha)
        return _paint_over(image, mark, spots)
    for spot in spots:
        image.paste(mark, spot, alpha)
    return image


def _paint_over(image: Image.Image, mark: Image.Image, spots: Spots) -> Image.Image:
    """Paint on a picture that may be transparent."""
    for x, y in spots:
        left, top = max(-x, 0), max(-y, 0)
        if x + mark.width > 0 and y + mark.height > 0:
            right, bottom = min(mark.width, image.width - x), min(mark.height, image.height - y)
            image.alpha_composite(mark, (max(x, 0), max(y, 0)), (left, top, right, bottom))
    return image


def _paint_deep(image: Image.Image, sprite: Sprite, spots: Spots) -> Image.Image:
    """Paint on a grey picture of 16 bits without losing any of them."""
    pixels = np.array(image)
    alpha = np.asarray(sprite.image.getchannel("A"), dtype=np.float32) / 255
    mark = np.asarray(sprite.image.getchannel("R"), dtype=np.float32) * 257
    for x, y in spots:
        here = pixels[max(y, 0) : max(y + sprite.size[1], 0), max(x, 0) : max(x + sprite.size[0], 0)]
        there = np.s_[max(-y, 0) :, max(-x, 0) :]
        share, color = (each[there][: here.shape[0], : here.shape[1]] for each in (alpha, mark))
        here[...] = np.rint(here + (color - here) * share).astype(np.uint16)
    return Image.fromarray(pixels)


def in_profile(sprite: Sprite, mode: str, profile: bytes | None) -> Image.Image:
    """Return the mark in the colours of a picture of `mode` and `profile`."""
    if mode == "L":
        return sprite.image.getchannel("R")
    if mode == "CMYK":
        return _converted(sprite.image.convert("RGB"), profile, "CMYK") or _separated(sprite.image)
    plain = sprite.image.convert("RGB")
    return plain if sprite.grey else _converted(plain, profile, "RGB") or plain


def _converted(mark: Image.Image, profile: bytes | None, mode: str) -> Image.Image | None:
    """Return an sRGB mark in another profile; None when the profile is missing, broken or of another mode."""
    if profile is None:
        return None
    try:
        target = ImageCms.ImageCmsProfile(BytesIO(profile))
        return ImageCms.profileToProfile(mark, ImageCms.createProfile("sRGB"), target, outputMode=mode)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return None


def _separated(mark: Image.Image) -> Image.Image:
    """Return a mark as plain cyan, magenta, yellow and black, with black for what is grey."""
    inks = 255 - np.asarray(mark.convert("RGB")).astype(np.int16)
    black = inks.min(axis=2, keepdims=True)
    colors = (inks - black) * 255 // np.maximum(255 - black, 1)
    return Image.fromarray(np.concatenate([colors, black], axis=2).astype(np.uint8), mode="CMYK")
