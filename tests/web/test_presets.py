"""What the administrator has prepared is offered to people."""

import pytest
from playwright.sync_api import expect

from tests.client import picture
from tests.system.workshop import Workshop
from tests.web.visitor import Visitor


@pytest.fixture
def site(workshop: Workshop) -> str:
    """A platform with presets."""
    return workshop.platform.url


def test_presets_of_the_server(visitor: Visitor) -> None:
    """The administrator's presets stand first, show in the preview and reach the images."""
    visitor.open()
    visitor.choose([("grey.jpg", picture((400, 300), "#808080"))])
    expect(visitor.page.locator(".presets button").first).to_have_text("house style")
    visitor.page.get_by_role("button", name="house style").click()
    expect(visitor.page.get_by_text("Over the whole image")).to_be_hidden()
    expect(visitor.page.locator("#preview")).to_have_attribute("alt", "grey.jpg with the mark")
    assert visitor.accessibility_problems() == []
    visitor.send()
    visitor.wait_until_ready()
    assert "grey.tif" in visitor.download()
