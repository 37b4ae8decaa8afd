"""A service that asks for keys, and the page that has to ask its reader."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Page, expect

from db.api_keys import Scope
from tests.api_keys import new_key
from tests.page.test_journeys import fill_in, send


@pytest.fixture
def key(client: TestClient) -> str:
    """A new caller's."""
    made: str = new_key(client)["key"]
    return made


def answer(page: Page, key: str) -> None:
    """Put the key into the dialog."""
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Use it").click()


def test_the_key_is_asked_for_and_kept_in_the_tab(
    keys_are_on: None, address: str, key: str, page: Page, picture: Path
) -> None:
    """At once, since not even the recent jobs are seen without; a wrong one is asked for again; a reload keeps it."""
    page.goto(address)
    answer(page, "mm_wrong")
    expect(page.locator("#key-why")).to_contain_text("not valid")
    answer(page, key)
    expect(page.locator("#no-jobs")).to_have_text("None yet.")
    fill_in(page, picture)
    with page.expect_request("**/events") as stream:
        send(page)
    assert stream.value.headers["authorization"] == f"Bearer {key}"
    expect(page.locator("#job-status")).to_have_text("Queued")
    page.get_by_text("The same from your code").click()
    expect(page.locator("#curl")).to_contain_text("Bearer $MAINMASK_API_KEY")
    assert key not in page.content()
    page.reload()
    expect(page.locator("#job-status")).to_have_text("Queued")
    assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]


def test_a_waiting_job_is_canceled(keys_are_on: None, address: str, key: str, page: Page, picture: Path) -> None:
    """Here no worker runs: the job waits, says how many are before it, and ends when it is told to."""
    page.goto(address)
    answer(page, key)
    fill_in(page, picture)
    send(page)
    expect(page.locator("#outlook")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#job-status")).to_have_text("Canceled")
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()


def test_the_key_is_forgotten_when_told(keys_are_on: None, address: str, key: str, page: Page) -> None:
    """The page is as it was before, and asks again."""
    page.goto(address)
    answer(page, key)
    expect(page.locator("#no-jobs")).to_have_text("None yet.")
    page.reload()
    page.get_by_role("button", name="Forget the key").click()
    expect(page.get_by_label("API key")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#no-jobs")).to_contain_text("valid key")


def test_a_key_that_may_not_submit_says_so(
    keys_are_on: None, address: str, client: TestClient, page: Page, picture: Path
) -> None:
    """The service's own words; the key is kept, since it is a valid one."""
    reader = new_key(client, scopes=[Scope.JOBS_READ])["key"]
    page.goto(address)
    answer(page, reader)
    fill_in(page, picture)
    send(page)
    expect(page.get_by_role("alert")).to_contain_text("jobs:write")
