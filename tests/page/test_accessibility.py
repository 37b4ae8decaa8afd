"""Without a mouse, without sight, on a phone, in the dark."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from mainmask import Client
from mainmask.stack.stack import Stack
from tests.page.conftest import SAMPLE
from tests.page.test_journeys import DONE, fill_in, send

Scheme = Literal["light", "dark"]


def nothing(page: Page) -> None:
    """The page as a new visitor finds it."""


def a_result(page: Page) -> None:
    """Everything that a result has, unfolded."""
    page.get_by_role("button", name="Try the sample").click()
    page.wait_for_selector(DONE)
    for summary in page.locator("#job summary").all():
        summary.click()


def a_failure(page: Page) -> None:
    """A job that failed."""
    fill_in(page, SAMPLE, "It was so much fun!")
    send(page)
    page.wait_for_selector("#job[data-status=failed]")


def a_form_with_errors(page: Page) -> None:
    """Nothing was filled in."""
    send(page)


def a_question_for_the_key(page: Page) -> None:
    """The dialog."""
    page.evaluate("import('/page/key.js').then(({ askForKey }) => void askForKey())")
    page.locator("#key-dialog").wait_for()


STATES = [nothing, a_result, a_failure, a_form_with_errors, a_question_for_the_key]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(home: Page, state: Callable[[Page], None], scheme: Scheme) -> None:
    """No finding of any severity, contrast among them."""
    home.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    state(home)
    found = Axe().run(home)
    assert [(one["id"], one["impact"], [node["html"] for node in one["nodes"]]) for one in violations(found)] == []


def violations(found: Any) -> list[dict[str, Any]]:
    """What axe objects to."""
    listed: list[dict[str, Any]] = found.response["violations"]
    return listed


@pytest.mark.parametrize("state", STATES)
def test_nothing_is_wider_than_a_phone(home: Page, state: Callable[[Page], None]) -> None:
    """No sideways scrolling, in any state of the page."""
    home.set_viewport_size({"width": 360, "height": 740})
    state(home)
    for width in (320, 360, 768):
        home.set_viewport_size({"width": width, "height": 740})
        assert home.evaluate("document.documentElement.scrollWidth") <= width


def test_long_words_wrap(page: Page, service: Client, stack: Stack) -> None:
    """Labels and descriptions without spaces don't burst the page, and are text, whatever they look like."""
    label = "<img src=x onerror=alert(1)>" + "w" * 100
    job = service.segment(SAMPLE, labels=[label, "snowboard"])
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{stack.api_url}/#{job.id}")
    page.wait_for_selector(DONE)
    expect(page.locator("#candidates")).to_contain_text(label)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until that has the focus, which shows."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab does not lead to {selector}")


def test_everything_is_done_by_keyboard(home: Page) -> None:
    """Words, the sample, the switches and the download: with Tab, Space, Enter and the arrows alone."""
    tab_to(home, "#try-sample")
    home.keyboard.press("Enter")
    home.wait_for_selector(DONE)
    expect(home.locator("#job-title")).to_be_focused()
    tab_to(home, "#show-mask")
    home.keyboard.press("Space")
    expect(home.locator("#mask")).to_be_hidden()
    home.keyboard.press("Space")
    tab_to(home, "#opacity")
    home.keyboard.press("ArrowRight")
    expect(home.locator("#opacity")).to_have_value("46")
    tab_to(home, "#instances li")
    expect(home.locator(".box")).to_have_class("box lit")
    tab_to(home, "#download-buttons button")
    with home.expect_download() as started:
        home.keyboard.press("Enter")
    assert started.value.suggested_filename.endswith("-0-mask.png")
    tab_to(home, "#history a")
    home.keyboard.press("Enter")
    expect(home.locator("#job-title")).to_be_focused()


def test_the_words_are_sent_by_enter(home: Page) -> None:
    """Shift and Enter still make a new line."""
    home.set_input_files("#file", SAMPLE)
    home.locator("#description").press_sequentially("A man and")
    home.keyboard.press("Shift+Enter")
    home.locator("#description").press_sequentially("a snowboard")
    home.keyboard.press("Enter")
    home.wait_for_selector(DONE)
    expect(home.locator("#job-words")).to_have_text("A man and\na snowboard")


def test_what_changes_is_said(home: Page, picture: Path) -> None:
    """A live region tells of each stage and of the end."""
    home.evaluate(
        """() => {
          window.said = [];
          const live = document.getElementById("live");
          new MutationObserver(() => window.said.push(live.textContent)).observe(live, { childList: true });
        }"""
    )
    fill_in(home, picture)
    send(home)
    home.wait_for_selector(DONE)
    expect(home.locator("#live")).to_contain_text("The main object is")
    said = " ".join(home.evaluate("said"))
    for what in ("snowboard.jpg is chosen.", "Sending.", "Choose: done.", "Find: done.", "Cut out: done."):
        assert what in said


def test_who_wants_no_motion_gets_none(home: Page) -> None:
    """Nothing is animated."""
    home.emulate_media(reduced_motion="reduce")
    a_result(home)
    assert home.evaluate("document.getAnimations().length") == 0
