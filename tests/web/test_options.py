"""The mark: its options, its preview and its place."""

import io
from collections.abc import Callable

import pytest
from PIL import ExifTags, Image, ImageChops
from playwright.sync_api import expect

from tests.client import File, is_marked, picture
from tests.web.conftest import PHONE
from tests.web.visitor import Visitor, crop, payload


def test_options_are_kept(visitor: Visitor) -> None:
    """The options of the form reach the images, and the next visit begins with them."""
    visitor.open()
    plain = picture((400, 300), "#808080")
    visitor.choose([("grey.jpg", plain)])
    visitor.page.get_by_role("button", name="Text in the corner").click()
    visitor.page.get_by_label("Your text").fill("MARK")
    visitor.page.locator("[name=position][value=top-left]").check(force=True)
    visitor.page.get_by_text("File format and quality").click()
    visitor.page.get_by_label("Format").select_option("PNG")
    visitor.send()
    visitor.wait_until_ready()
    data = visitor.download()["grey.png"]
    assert data.startswith(b"\x89PNG")
    corner, rest = (0, 0, 200, 150), (200, 150, 400, 300)
    assert is_marked(crop(plain, corner), crop(data, corner))
    assert not is_marked(crop(plain, rest), crop(data, rest))
    visitor.open()
    expect(visitor.page.get_by_label("Your text")).to_have_value("MARK")
    expect(visitor.page.locator("[name=position][value=top-left]")).to_be_checked()
    visitor.page.get_by_role("button", name="Back to the defaults").click()
    expect(visitor.page.locator("[name=position][value=tile]")).to_be_checked()
    expect(visitor.page.get_by_label("Your text")).to_be_hidden()


def test_rights_are_written_into_the_files(visitor: Visitor) -> None:
    """Sent with the files, and with images that the server still has."""
    visitor.open()
    visitor.choose([("grey.jpg", picture((400, 300), "#808080"))])
    visitor.page.get_by_text("Your name and your rights").click()
    visitor.page.get_by_label("Creator").fill("Анна Photographer")
    visitor.page.get_by_label("Copyright notice").fill("© 2026 Анна")
    job = visitor.send()
    visitor.wait_until_ready()
    assert _rights(visitor.download()["grey.jpg"]) == ("Анна Photographer", "© 2026 Анна")
    visitor.page.goto(f"{visitor.url}/?again={job}")
    visitor.page.get_by_text("Your name and your rights").click()
    expect(visitor.page.get_by_label("Creator")).to_have_value("Анна Photographer")
    visitor.page.get_by_label("Creator").fill("Somebody Else")
    with visitor.page.expect_navigation(url="**/job/*"):
        visitor.page.locator("#send").click()
    visitor.wait_until_ready()
    assert _rights(visitor.download()["grey.jpg"]) == ("Somebody Else", "© 2026 Анна")


def _rights(data: bytes) -> tuple[str, str]:
    """Who made it and the copyright notice, as EXIF has them."""
    exif = Image.open(io.BytesIO(data)).getexif()
    creator, notice = (
        str(exif[tag]).encode("latin-1").decode() for tag in (ExifTags.Base.Artist, ExifTags.Base.Copyright)
    )
    return creator, notice


def test_preview_is_what_comes(visitor: Visitor, photographs: list[File]) -> None:
    """The preview shows the visitor's image with the mark, and changes with the options."""
    visitor.open()
    image = visitor.page.locator("#preview")
    visitor.choose(photographs[:2])
    expect(image).to_have_attribute("alt", f"{photographs[0][0]} with the mark")
    before = image.get_attribute("src")
    visitor.page.get_by_role("button", name="Text in the corner").click()
    expect(image).not_to_have_attribute("src", str(before))
    visitor.page.get_by_role("button", name=f"Show the mark on {photographs[1][0]}").click()
    expect(image).to_have_attribute("alt", f"{photographs[1][0]} with the mark")
    assert image.evaluate("(element) => element.decode().then(() => element.naturalWidth)") > 100


def test_own_logo(visitor: Visitor) -> None:
    """The visitor's logo is the mark, in the preview and in the result, and is there the next time."""
    logo = io.BytesIO()
    Image.new("RGBA", (900, 900), "#ff0000").save(logo, "PNG")
    plain = picture((400, 300), "#808080", "PNG")
    visitor.open()
    visitor.page.locator("[name=kind][value=image]").check(force=True)
    visitor.page.set_input_files("#choose-logo", payload([("text.png", b"no logo")]))
    expect(visitor.page.locator("#wrong-logo")).to_have_text("This file cannot be used as a logo.")
    visitor.page.set_input_files("#choose-logo", payload([("logo.png", logo.getvalue())]))
    expect(visitor.page.locator("#wrong-logo")).to_be_empty()
    visitor.page.get_by_role("button", name="Logo in the corner").click()
    visitor.choose([("grey.png", plain)])
    expect(visitor.page.locator("#preview")).to_have_attribute("alt", "grey.png with the mark")
    visitor.send()
    visitor.wait_until_ready()
    marked = Image.open(io.BytesIO(visitor.download()["grey.png"])).convert("RGB")
    red, green, _ = marked.split()
    assert ImageChops.subtract(red, green).point(lambda value: value > 80 and 255).getbbox()
    visitor.open()
    expect(visitor.page.locator("[name=kind][value=image]")).to_be_checked()
    expect(visitor.page.locator("#logo")).to_be_visible()


@pytest.mark.parametrize(("across", "down", "position"), [(0.1, 0.1, "top-left"), (0.9, 0.5, "right")])
def test_drag(visitor: Visitor, across: float, down: float, position: str) -> None:
    """The mark is dragged to its place on the preview."""
    visitor.open()
    box = visitor.see("#preview[src]").bounding_box()
    assert box is not None
    mouse = visitor.page.mouse
    with visitor.page.expect_response("**/drag.js"):
        mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    mouse.down()
    mouse.move(box["x"] + box["width"] * across, box["y"] + box["height"] * down, steps=4)
    expect(visitor.page.locator(f"[name=position][value={position}]")).to_be_checked()
    mouse.up()
    expect(visitor.page.locator(f"[name=position][value={position}]")).to_be_checked()


def test_tap(visit: Callable[..., Visitor]) -> None:
    """By finger the mark goes where the preview is tapped."""
    visitor = visit(viewport=PHONE, is_mobile=True, has_touch=True)
    with visitor.page.expect_response("**/drag.js"):
        visitor.open()
    preview = visitor.see("#preview[src]")
    preview.scroll_into_view_if_needed()
    preview.tap(position={"x": 20, "y": 20})
    expect(visitor.page.locator("[name=position][value=top-left]")).to_be_checked()
