"""The way of images through the pages, in a real browser and through the real platform."""

import base64
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from PIL.ExifTags import Base
from playwright.sync_api import expect

from tests.client import File, is_marked
from tests.web.conftest import PHONE
from tests.web.visitor import Visitor, broken, payload

TRANSFER = """(element, [event, name, data]) => {
    const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name));
    const Kind = event === "drop" ? DragEvent : ClipboardEvent;
    const carried = { dataTransfer: transfer, clipboardData: transfer };
    element.dispatchEvent(new Kind(event, { bubbles: true, cancelable: true, ...carried }));
}"""


LOADED = """(images) => Promise.all(images.map(async (image) => {
    image.loading = "eager";
    await image.decode();
    return Math.max(image.naturalWidth, image.naturalHeight);
}))"""


def test_images_go_in_and_a_zip_comes_out(visitor: Visitor, photographs: list[File]) -> None:
    """Choose, send, wait, download: every image is in the ZIP and is marked."""
    visitor.open()
    visitor.choose(photographs)
    expect(visitor.tiles()).to_have_count(len(photographs))
    expect(visitor.page.locator("#chosen canvas")).to_have_count(len(photographs))
    expect(visitor.page.locator("#summary")).to_contain_text(f"{len(photographs)} images")
    visitor.send()
    visitor.wait_until_ready()
    expect(visitor.page.locator("h1:visible")).to_have_text("Your images are ready")
    expect(visitor.page).to_have_title(re.compile("ready"))
    expect(visitor.tiles().locator("img")).to_have_count(len(photographs))
    assert visitor.tiles().locator("img").evaluate_all(LOADED) == [320] * len(photographs)
    files = visitor.download()
    for name, data in photographs:
        assert is_marked(data, files[name]), name


ENDS = """(canvas) => {
    const { width, height, data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const at = (row) => [...data.slice(4 * width * row, 4 * width * row + 3)];
    return [width, height, at(2), at(height - 3)];
}"""


def test_a_turned_photograph_is_upright_before_it_is_sent(visitor: Visitor) -> None:
    """Its red half lies at the left in the file, and at the top for who sees it."""
    picture, file = Image.new("RGB", (1200, 800), (0, 0, 250)), io.BytesIO()
    picture.paste((250, 0, 0), (0, 0, 600, 800))
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    picture.save(file, "JPEG", exif=exif, quality=95)
    visitor.open()
    visitor.choose([("phone.jpg", file.getvalue())])
    tile = visitor.page.locator("#chosen canvas")
    expect(tile).to_have_count(1)
    width, height, top, bottom = tile.evaluate(ENDS)
    assert (width, height) == (213, 320)
    assert top[0] > 200 > 50 > top[2]
    assert bottom[2] > 200 > 50 > bottom[0]
    preview = visitor.page.locator("#preview")
    expect(preview).to_have_attribute("alt", "phone.jpg with the mark")
    assert preview.evaluate("(image) => image.decode().then(() => image.naturalWidth < image.naturalHeight)")


def test_bad_image_among_good(visitor: Visitor, photographs: list[File]) -> None:
    """A damaged image fails alone, with its reason on the page."""
    visitor.open()
    visitor.choose([photographs[0], broken(photographs[1]), photographs[2]])
    visitor.send()
    visitor.wait_until_ready()
    expect(visitor.page.locator("h1:visible")).to_have_text("Ready, except for 1 image")
    expect(visitor.page.locator("#failures")).to_contain_text(f"broken {photographs[1][0]}")
    expect(visitor.page.locator(".tile.failed")).to_have_count(1)
    assert {photographs[0][0], photographs[2][0]} <= set(visitor.download())


def test_all_images_bad(visitor: Visitor, photographs: list[File]) -> None:
    """A job without a single marked image says so."""
    visitor.open()
    visitor.choose([broken(photograph) for photograph in photographs[:2]])
    visitor.send()
    expect(visitor.page.locator("h1:visible")).to_have_text("None of the images could be marked", timeout=60_000)
    expect(visitor.page.locator("#failures li")).to_have_count(2)


def test_what_is_refused_is_said_at_once(visitor: Visitor, photographs: list[File]) -> None:
    """Files that the server would refuse are not even sent; leftovers of a system are passed over silently."""
    visitor.open()
    visitor.choose([photographs[0], ("text.jpg", b"hello"), ("none.png", b""), (".DS_Store", b"x"), photographs[0]])
    expect(visitor.tiles()).to_have_count(2)  # the same photograph twice: the browser gives each its own time
    refused = visitor.page.locator("#rejected li")
    expect(refused).to_have_text(["text.jpg: not an image", "none.png: empty file"])


def test_folder_names_are_kept(visitor: Visitor, photographs: list[File], tmp_path: Path) -> None:
    """A chosen folder comes back with its folders."""
    (tmp_path / "wedding/day 1").mkdir(parents=True)
    (tmp_path / "wedding/день 2").mkdir()
    (tmp_path / "wedding/day 1/a.jpg").write_bytes(photographs[0][1])
    (tmp_path / "wedding/день 2/a.jpg").write_bytes(photographs[1][1])
    visitor.open()
    visitor.choose_folder(tmp_path / "wedding")
    expect(visitor.tiles()).to_have_count(2)
    visitor.send()
    visitor.wait_until_ready()
    assert {"wedding/day 1/a.jpg", "wedding/день 2/a.jpg"} <= set(visitor.download())


def test_zip(visitor: Visitor, photographs: list[File]) -> None:
    """A ZIP is unpacked by the server, beside other images."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("inside/a.jpg", photographs[0][1])
    visitor.open()
    visitor.choose([("many.zip", packed.getvalue()), photographs[1]])
    visitor.send()
    visitor.wait_until_ready()
    files = visitor.download()
    assert photographs[1][0] in files
    assert any(name.endswith("inside/a.jpg") for name in files)


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_drop_and_paste(visitor: Visitor, photographs: list[File], event: str) -> None:
    """Images dropped or pasted anywhere on the page are added."""
    visitor.open()
    visitor.page.locator(".intro").evaluate(
        TRANSFER,
        [event, photographs[0][0], base64.b64encode(photographs[0][1]).decode()],
    )
    expect(visitor.tiles()).to_have_count(1)


def test_remove(visitor: Visitor, photographs: list[File]) -> None:
    """A removed image is not sent, and the keyboard stays where it was."""
    visitor.open()
    visitor.choose(photographs[:3])
    visitor.page.get_by_role("button", name=f"Remove {photographs[1][0]}").press("Enter")
    expect(visitor.tiles()).to_have_count(2)
    expect(visitor.page.get_by_role("button", name=f"Remove {photographs[2][0]}")).to_be_focused()
    visitor.page.get_by_role("button", name="Remove all").click()
    expect(visitor.tiles()).to_have_count(0)
    visitor.page.locator("#send").click()
    expect(visitor.page.get_by_role("alert")).to_have_text("Choose at least one image first.")


def test_keyboard_alone(visitor: Visitor, photographs: list[File]) -> None:
    """Everything from choosing to downloading goes without a mouse."""
    visitor.open()
    with visitor.page.expect_file_chooser() as chooser:
        press_tab_until(visitor, "#choose-files")
        visitor.page.keyboard.press("Enter")
    chooser.value.set_files(payload(photographs[:2]))
    press_tab_until(visitor, "#send")
    visitor.page.keyboard.press("Enter")
    visitor.wait_for_job()
    visitor.wait_until_ready()
    press_tab_until(visitor, "#download")
    with visitor.page.expect_download():
        visitor.page.keyboard.press("Enter")


def press_tab_until(visitor: Visitor, selector: str) -> None:
    """Go to an element by the keyboard."""
    for _ in range(60):
        visitor.page.keyboard.press("Tab")
        if visitor.page.locator(f"{selector}:focus").count():
            return
    raise AssertionError(f"{selector} is not reached by the keyboard")


def test_without_scripts(visit: Callable[..., Visitor], photographs: list[File]) -> None:
    """A plain form, a page that refreshes, and a link."""
    visitor = visit(java_script_enabled=False)
    visitor.page.goto(f"{visitor.url}/")
    visitor.choose([*photographs[:2], broken(photographs[2])])
    visitor.page.get_by_label("Your text").fill("© 2026")
    visitor.page.locator("#send").click()
    visitor.wait_for_job()
    visitor.wait_until_ready()
    expect(visitor.page.locator("#failures")).to_contain_text(f"broken {photographs[2][0]}")
    expect(visitor.page.get_by_role("link", name=f"Open {photographs[0][0]}")).to_be_attached()
    files = visitor.download()
    assert is_marked(photographs[0][1], files[photographs[0][0]])
    visitor.page.get_by_text("Delete now").click()
    visitor.page.get_by_role("button", name="Yes, delete everything").click()
    expect(visitor.page.locator("h1:visible")).to_have_text("These images are gone")


def test_russian(visit: Callable[..., Visitor], photographs: list[File]) -> None:
    """A Russian browser gets Russian pages; the language can be changed and stays changed."""
    visitor = visit(locale="ru-RU", viewport=PHONE)
    visitor.open()
    expect(visitor.page.locator("h1:visible")).to_have_text("Ваш знак сразу на всех снимках.")
    visitor.choose(photographs[:3])
    expect(visitor.page.locator("#send")).to_have_text("Нанести знак на 3 изображения")
    visitor.send()
    visitor.wait_until_ready()
    expect(visitor.page.locator("h1:visible")).to_have_text("Ваши изображения готовы")
    visitor.page.get_by_role("link", name="English").click()
    expect(visitor.page.locator("h1:visible")).to_have_text("Your images are ready")
    visitor.open()
    expect(visitor.page.locator("h1:visible")).to_have_text("Your mark on every image, at once.")
