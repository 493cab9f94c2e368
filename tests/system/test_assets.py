"""What an administrator adds in one folder is there for every way in: a task, a mark and a preset."""

import io

import pytest
from PIL import Image

from tests.client import Caller, picture
from tests.platform_driver import Platform
from tests.system.workshop import Workshop


@pytest.fixture(scope="module")
def place(workshop: Workshop) -> Platform:
    """A platform with a folder of assets."""
    return workshop.platform


def halves() -> bytes:
    """A picture that is black on the left and white on the right."""
    image = Image.new("L", (100, 50), 255)
    image.paste(0, (0, 0, 50, 50))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def test_a_job_runs_a_task_of_ones_own(caller: Caller) -> None:
    job = caller.upload([("a.png", halves())], task="mirror")
    caller.wait(job)
    image = Image.open(io.BytesIO(caller.archive(job)["a.png"]))
    assert (image.getpixel((2, 2)), image.getpixel((98, 2))) == (255, 0)


def test_a_preset_names_options(caller: Caller) -> None:
    answer = caller.http.post("/function/watermark?preset=half", content=halves())
    assert Image.open(io.BytesIO(answer.content)).size == (50, 25)
    schema = caller.http.get("/function/upload/schema").json()
    assert schema["properties"]["preset"]["enum"] == ["house_style", "half"]
    assert "mirror" in schema["$defs"]


def test_a_stored_mark_is_drawn(caller: Caller) -> None:
    query = "?image=studio&position=center&opacity=1&rotation=0"
    answer = caller.http.post(f"/function/watermark{query}", content=picture((200, 100), "white", "PNG"))
    red, green, blue = Image.open(io.BytesIO(answer.content)).convert("RGB").getpixel((100, 50))  # type: ignore[misc]
    assert (red, green, blue) == (255, 0, 0)
