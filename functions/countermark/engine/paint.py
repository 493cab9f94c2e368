"""Marks painted on the pixels of a picture, in the picture's own colours."""

from PIL import Image, ImageChops

from .color import from_srgb, separated
from .mark import Blend, Sprite

Spots = list[tuple[int, int]]


def paint(image: Image.Image, sprite: Sprite, spots: Spots, profile: bytes | None) -> Image.Image:
    """Return `image` with the mark at every spot; only the pixels under a mark change.

    `profile` is the ICC profile of the picture: the mark is brought into it, never the picture out of it.
    """
    if image.mode in {"L", "LA"} and not sprite.grey:
        image = image.convert("RGBA" if image.mode == "LA" else "RGB")
    if image.mode == "LA":
        return paint(image.convert("RGBA"), sprite, spots, None).convert("LA")
    alpha = sprite.image.getchannel("A")
    mark = in_profile(sprite, "RGB" if image.mode == "RGBA" else image.mode, profile)
    for spot in _inside(spots, mark.size, image.size):
        _paint_at(image, mark, alpha, spot, sprite.blend)
    return image


def _inside(spots: Spots, mark: tuple[int, int], picture: tuple[int, int]) -> Spots:
    return [(x, y) for x, y in spots if -mark[0] < x < picture[0] and -mark[1] < y < picture[1]]


def _paint_at(image: Image.Image, mark: Image.Image, alpha: Image.Image, spot: tuple[int, int], blend: Blend) -> None:
    """Paint one copy in place."""
    if blend == "normal" and image.mode != "RGBA":
        image.paste(mark, spot, alpha)
        return
    (x, y), (left, top) = spot, (max(-spot[0], 0), max(-spot[1], 0))
    part = (left, top, min(mark.width, image.width - x), min(mark.height, image.height - y))
    mark, alpha = mark.crop(part), alpha.crop(part)
    corner = (x + left, y + top)
    ground = image.crop((*corner, corner[0] + mark.width, corner[1] + mark.height))
    if image.mode != "RGBA":
        image.paste(_mixed(ground, mark, blend), corner, alpha)
        return
    if blend != "normal":  # where the picture is transparent there is nothing to mix with
        mark = Image.composite(_mixed(ground.convert("RGB"), mark, blend), mark, ground.getchannel("A"))
    mark.putalpha(alpha)
    image.alpha_composite(mark, corner)


def _mixed(ground: Image.Image, mark: Image.Image, blend: Blend) -> Image.Image:
    darker = (blend == "multiply") != (ground.mode == "CMYK")  # inks multiply where lights screen
    return ImageChops.multiply(ground, mark) if darker else ImageChops.screen(ground, mark)


def in_profile(sprite: Sprite, mode: str, profile: bytes | None) -> Image.Image:
    """Return the mark, without its alpha, in the colours of a picture of `mode` and `profile`."""
    if mode == "L":
        return sprite.image.getchannel("R")
    plain = sprite.image.convert("RGB")
    if mode == "CMYK":
        return from_srgb(plain, profile, "CMYK") or separated(plain)
    return plain if sprite.grey else from_srgb(plain, profile, "RGB") or plain
