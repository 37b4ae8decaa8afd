"""Take README's picture of the page again: `python -m tests.page.screenshot`, with Debian's fonts-inter installed."""

from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import expect

from mainmask.stack.interruptions import Interruptions
from mainmask.stack.stack import Stack
from tests.page.browser import chromium

PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "page.png"


def main() -> None:
    """Start the service, try the sample, take the picture."""
    with (
        TemporaryDirectory() as folder,
        Interruptions() as interruptions,
        Stack(Path(folder), 0, 0, print, interruptions) as stack,
        chromium() as browser,
    ):
        page = browser.new_page(viewport={"width": 1200, "height": 1010})
        page.goto(stack.api_url)
        page.get_by_role("button", name="Try the sample").click()
        page.wait_for_selector("#job[data-status=succeeded]")
        expect(page.locator("#jobs a")).to_contain_text("snowboard")
        page.mouse.move(0, 0)
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=PICTURE, animations="disabled")
    print(f"{PICTURE}: {PICTURE.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
