"""What people do on the page, from a picture and words to the saved mask."""

import io
import json
import re
from pathlib import Path

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Download, Page, Route, expect

from mainmask import Client
from mainmask.commands.demo import SENTENCE
from mainmask.stack.stack import Stack
from tests.page.conftest import SAMPLE

DONE = "#job[data-status=succeeded]"
WATCH_STAGES = """() => {
  window.seen = [];
  new MutationObserver((records) => {
    for (const { target } of records) window.seen.push(target.dataset.status);
  }).observe(document.getElementById("stages"), { attributeFilter: ["data-status"], subtree: true });
}"""
TRY_AGAIN = """() => new Promise((resolve) => {
  const job = document.getElementById("job");
  const seen = [];
  new MutationObserver(() => {
    seen.push(job.dataset.status);
    if (job.dataset.status === "failed") resolve(seen);
  }).observe(job, { attributeFilter: ["data-status"] });
  document.getElementById("retry").click();
})"""
CANVAS_ALPHA = """() => {
  const canvas = document.getElementById("mask");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return { width: canvas.width, alpha: Array.from(data.filter((_, at) => at % 4 === 3)) };
}"""


def fill_in(page: Page, picture: Path, words: str = SENTENCE) -> None:
    """Choose the picture and say the words."""
    page.set_input_files("#file", picture)
    page.get_by_label("Description", exact=True).fill(words)


def send(page: Page) -> None:
    """Press the button."""
    page.get_by_role("button", name="Cut it out").click()


def job_id(page: Page) -> str:
    """What the address names."""
    page.wait_for_url(re.compile("#.{36}$"))
    return page.url.rpartition("#")[2]


def save(page: Page, name: str) -> Download:
    """Press a button that saves something."""
    with page.expect_download() as started:
        page.get_by_role("button", name=name).click()
    return started.value


def pixels(png: bytes) -> NDArray[np.bool_]:
    """The mask in a PNG."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("1"))


def painted(page: Page) -> NDArray[np.bool_]:
    """Where the canvas over the picture isn't transparent."""
    canvas = page.evaluate(CANVAS_ALPHA)
    return np.asarray(canvas["alpha"]).reshape(-1, canvas["width"]) > 0


def test_from_a_picture_to_the_saved_mask(home: Page, picture: Path, service: Client) -> None:
    """Chosen, described, sent, watched, seen, saved: file, canvas and storage agree to the pixel."""
    fill_in(home, picture)
    expect(home.locator("#file-facts")).to_contain_text("900 × 600")  # noqa: RUF001 - as it is written
    home.evaluate(WATCH_STAGES)
    send(home)
    home.wait_for_selector(DONE)
    expect(home.get_by_role("heading", name="snowboard")).to_be_visible()
    assert {"running", "succeeded"} <= set(home.evaluate("seen"))
    for stage in home.locator("#stages li").all():
        expect(stage).to_have_attribute("data-status", "succeeded")
        expect(stage.locator(".time")).to_have_text(re.compile(r"^\d+(\.\d)?\s(ms|s)$"))
    expect(home.locator("#candidates li")).to_have_count(2)
    expect(home.locator("#live")).to_contain_text("snowboard")

    stored = service.download(job_id(home), "mask")
    downloaded = save(home, "Mask")
    assert Path(downloaded.path()).read_bytes() == stored
    assert downloaded.suggested_filename == f"{job_id(home)}-0-mask.png"
    assert np.array_equal(painted(home), pixels(stored))


def test_the_cutout_and_the_document_are_saved(home: Page, picture: Path, service: Client) -> None:
    """As they are stored, under names that say whose they are; the page stays where it is."""
    fill_in(home, picture)
    send(home)
    home.wait_for_selector(DONE)
    here = home.url
    assert Path(save(home, "Cut-out").path()).read_bytes() == service.download(job_id(home), "cutout")
    document = json.loads(Path(save(home, "Document").path()).read_text())
    assert (document["id"], document["status"]) == (job_id(home), "succeeded")
    assert home.url == here


def test_the_sample_needs_one_click(home: Page) -> None:
    """Who has no picture at hand sees the worked example."""
    home.get_by_role("button", name="Try the sample").click()
    home.wait_for_selector(DONE)
    expect(home.locator("#job-words")).to_have_text(SENTENCE)
    expect(home.locator("#hint")).to_be_hidden()


def test_a_finished_job_is_opened_by_its_address(page: Page, service: Client, stack: Stack) -> None:
    """By somebody who didn't send it, and again by a reload: its picture comes from the storage."""
    job = service.segment(SAMPLE, SENTENCE)
    page.goto(f"{stack.api_url}/#{job.id}")
    for _ in range(2):
        page.wait_for_selector(DONE)
        expect(page.locator("#picture-image")).to_have_js_property("naturalWidth", 900)
        expect(page.locator("#picture-image")).to_be_visible()
        assert np.array_equal(painted(page), pixels(service.download(job, "mask")))
        page.reload()


def test_recent_jobs_are_listed_and_open(home: Page, service: Client) -> None:
    """The newest is the first; a click opens it, and the browser's way back closes it again."""
    job = service.segment(SAMPLE, labels=["tree"], reuse=False)
    home.reload()
    first = home.locator("#jobs a").first
    expect(first).to_contain_text("tree")
    first.click()
    home.wait_for_selector(DONE)
    assert job_id(home) == job.id
    expect(first).to_have_attribute("aria-current", "true")
    home.go_back()
    expect(home.locator("#job")).to_be_hidden()
    expect(home.locator("#hint")).to_be_visible()


def test_finding_nothing_is_told_as_an_answer(page: Page, stack: Stack) -> None:
    """Not as a failure: nothing is painted, nothing but the document can be saved, and what may help is said."""
    form = {"labels": "snowboard", "box_threshold": "0.999"}
    job = httpx.post(
        f"{stack.api_url}/v1/jobs", files={"image": SAMPLE.read_bytes()}, data=form, trust_env=False
    ).json()
    page.goto(f"{stack.api_url}/#{job['id']}")
    page.wait_for_selector(DONE)
    expect(page.get_by_role("heading", name="No snowboard found")).to_be_visible()
    expect(page.locator("#verdict")).to_contain_text("an answer, not a failure")
    expect(page.locator("#view-controls")).to_be_hidden()
    expect(page.locator("#download-buttons button")).to_have_count(1)
    expect(page.locator("#stages li").last).to_have_attribute("data-status", "skipped")


def test_a_failed_job_says_why_and_can_be_tried_again(home: Page, picture: Path) -> None:
    """The cause, the stage, and a button, which runs it again; here to the same end."""
    fill_in(home, picture, "It was so much fun!")
    send(home)
    home.wait_for_selector("#job[data-status=failed]")
    expect(home.locator("#job-problem")).to_contain_text("labels")
    expect(home.locator("#job-problem")).to_contain_text("no-candidates, at classify, after 1 attempt")
    expect(home.get_by_role("button", name="Try again")).to_be_visible()
    statuses = home.evaluate(TRY_AGAIN)
    assert (statuses[0], statuses[-1]) == ("queued", "failed")


def test_a_text_file_called_png_is_refused_and_nothing_is_lost(home: Page, tmp_path: Path) -> None:
    """The service says what is wrong beside the form, which keeps the words; another picture then works."""
    fake = tmp_path / "notes.png"
    fake.write_text("buy milk")
    fill_in(home, fake)
    send(home)
    expect(home.get_by_role("alert")).to_contain_text("can't be read")
    expect(home.get_by_label("Description", exact=True)).to_have_value(SENTENCE)
    home.set_input_files("#file", SAMPLE)
    expect(home.get_by_role("alert")).to_have_count(0)
    send(home)
    home.wait_for_selector(DONE)


def test_what_is_no_picture_or_too_large_is_not_even_sent(page: Page, stack: Stack, tmp_path: Path) -> None:
    """The page knows by the name, and by the service's limit; the picture before stays chosen."""
    page.route(
        "**/page/settings.json",
        lambda route: route.fulfill(json={**route.fetch().json(), "maximum_image_bytes": 60_000}),
    )
    with page.expect_response("**/page/settings.json"):
        page.goto(stack.api_url)
    page.set_input_files("#file", SAMPLE)
    for name, size, said in (
        ("notes.txt", 8, "is no picture"),
        ("large.png", 60_001, "60 kB are taken at most"),
        ("none.png", 0, "is empty"),
    ):
        (tmp_path / name).write_bytes(bytes(size))
        page.set_input_files("#file", tmp_path / name)
        expect(page.locator("#file-error")).to_contain_text(said.replace(" kB", "\u00a0kB"))
        expect(page.locator("#file-name")).to_have_text("snowboard.jpg")


def test_a_form_that_lacks_something_says_what(home: Page) -> None:
    """And puts the cursor there."""
    send(home)
    expect(home.locator("#file-error")).to_have_text("Choose a picture first.")
    expect(home.locator("#words-error")).to_contain_text("Say what is in the picture")
    expect(home.locator("#file")).to_be_focused()
    home.set_input_files("#file", SAMPLE)
    home.get_by_role("radio", name="List the things").check()
    send(home)
    expect(home.locator("#words-error")).to_contain_text("Name at least one thing")
    expect(home.locator("#labels")).to_be_focused()


def test_listed_things_are_the_candidates(home: Page, service: Client) -> None:
    """Each is one, between commas."""
    home.set_input_files("#file", SAMPLE)
    home.get_by_role("radio", name="List the things").check()
    home.locator("#labels").fill("man,  snowboard, ,tree")
    home.locator("#all").check()
    send(home)
    home.wait_for_selector(DONE)
    said = service.get(job_id(home)).document["input"]
    assert (said["labels"], said["description"], said["instances"]) == (["man", "snowboard", "tree"], None, "all")


def test_what_got_no_answer_is_sent_again_as_the_same_job(home: Page, picture: Path, service: Client) -> None:
    """The words and the picture stay, and the idempotency key; the answer that was lost counts."""
    keys = []

    def lose_the_answer(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        route.fetch()
        route.abort()

    home.route("**/v1/jobs", lose_the_answer)
    before = len(list(service.jobs()))
    fill_in(home, picture)
    send(home)
    expect(home.get_by_role("alert")).to_contain_text("can't be reached")
    home.unroute("**/v1/jobs")
    with home.expect_request(lambda request: request.method == "POST") as second:
        send(home)
    home.wait_for_selector(DONE)
    assert [second.value.headers["idempotency-key"]] == keys
    assert len(list(service.jobs())) == before + 1


def test_without_a_stream_it_asks(home: Page, picture: Path) -> None:
    """Where a proxy swallows server-sent events, the page polls, and says so to nobody."""
    home.route("**/events", lambda route: route.fulfill(status=502))
    fill_in(home, picture)
    send(home)
    home.wait_for_selector(DONE)


def test_a_picture_is_pasted(home: Page) -> None:
    """Anywhere on the page."""
    home.evaluate(
        """async () => {
          const data = new DataTransfer();
          const picture = await (await fetch("/page/sample.jpg")).blob();
          data.items.add(new File([picture], "pasted.jpg", { type: "image/jpeg" }));
          document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
        }"""
    )
    expect(home.locator("#file-name")).to_have_text("pasted.jpg")


def test_a_picture_is_dropped(home: Page) -> None:
    """Anywhere on the page; the browser doesn't leave it for the picture."""
    data = home.evaluate_handle(
        """async () => {
          const data = new DataTransfer();
          const picture = await (await fetch("/page/sample.jpg")).blob();
          data.items.add(new File([picture], "dropped.jpg", { type: "image/jpeg" }));
          return data;
        }"""
    )
    home.dispatch_event("body", "dragover", {"dataTransfer": data})
    expect(home.locator("#drop")).to_have_class("drop over")
    home.dispatch_event("body", "drop", {"dataTransfer": data})
    expect(home.locator("#file-name")).to_have_text("dropped.jpg")
    expect(home.locator("#drop")).to_have_class("drop")


def test_mask_and_box_are_switched_and_lit(home: Page, picture: Path) -> None:
    """Each by itself; the opacity changes the paint, and pointing at the mask lights it and its line."""
    fill_in(home, picture)
    send(home)
    home.wait_for_selector(DONE)
    home.get_by_label("Mask", exact=True).uncheck()
    expect(home.locator("#mask")).to_be_hidden()
    expect(home.locator(".box")).to_be_visible()
    home.get_by_label("Box", exact=True).uncheck()
    expect(home.locator(".box")).to_be_hidden()
    home.get_by_label("Mask", exact=True).check()
    home.get_by_label("Opacity").fill("90")
    assert max(home.evaluate(CANVAS_ALPHA)["alpha"]) == 255
    assert sorted(set(home.evaluate(CANVAS_ALPHA)["alpha"]))[1] == round(0.9 * 255)
    box = home.locator("#mask").bounding_box()
    assert box is not None
    home.mouse.move(box["x"] + box["width"] * 0.52, box["y"] + box["height"] * 0.45)
    expect(home.locator("#instances li")).to_have_class("lit")
    home.mouse.move(box["x"] + 3, box["y"] + 3)
    expect(home.locator("#instances li")).not_to_have_class("lit")


def test_the_page_works_below_a_prefix(page: Page, stack: Stack) -> None:
    """Behind a proxy that serves several things on one host; its calls for other programs name the prefix, too."""
    here = "http://proxy.example/mainmask"
    page.route(
        f"{here}/**",
        lambda route: route.fulfill(response=route.fetch(url=route.request.url.replace(here, stack.api_url))),
    )
    page.goto(f"{here}/")
    page.get_by_role("button", name="Try the sample").click()
    page.wait_for_selector(DONE)
    expect(page.locator("#curl")).to_contain_text(f"curl '{here}/v1/jobs'")


def test_an_unknown_job_is_said_to_be_unknown(page: Page, stack: Stack) -> None:
    """A link to a job that has been removed."""
    page.goto(f"{stack.api_url}/#019a0000-0000-7000-8000-000000000000")
    expect(page.get_by_role("heading", name="There is no such job")).to_be_visible()


def test_flower_and_the_documentation_are_a_click_away(home: Page, stack: Stack) -> None:
    """Flower where the settings say."""
    expect(home.get_by_role("link", name="Flower")).to_have_attribute("href", f"{stack.flower_url}/")
    expect(home.get_by_role("link", name="API")).to_have_attribute("href", "docs")


def test_the_documentation_works_under_its_policy(page: Page, stack: Stack) -> None:
    """It lists the operations, and calls one, without a complaint of the browser's."""
    page.goto(f"{stack.api_url}/docs")
    operation = page.locator("#operations-jobs-list_jobs")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
