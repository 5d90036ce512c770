"""Review and history in a real browser: two people, by keyboard, in both languages, accessible."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from api.services import Services
from kb import accounts
from kb.access import SYSTEM
from tests.e2e.conftest import PASSWORD, Open, sign_in, violations


def person(role: str) -> str:
    return f"{role}@curating.example.org"


@pytest.fixture(scope="module", autouse=True)
def _people(services: Services) -> None:
    with services.db.write() as session:
        for role in ("contributor", "coach"):
            accounts.add(session, person(role), actor=SYSTEM, name=role, role=role, password=PASSWORD)


def submitted(page: Page) -> str:
    """Write an article and submit it; return its number."""
    sign_in(page, person("contributor"), "/edit/new")
    page.locator("[name=title]").fill("Oil the hinge of the mast")
    page.locator("[name=resolution]").fill("Use two drops.")
    page.locator(".beside [name=message]").fill("Are two enough?")
    page.get_by_role("button", name="Submit for review").press("Enter")
    expect(page.locator(".said")).to_have_text("Saved and submitted for review.")
    return page.url.split("/edit/")[1].split("?")[0]


def test_a_text_is_given_back_changed_and_approved_by_keyboard(tab: Open) -> None:
    author, coach = tab(), tab()
    number = submitted(author)
    sign_in(coach, person("coach"), "/edit?queue=in_review")
    expect(coach.locator(".rows")).to_contain_text("Are two enough?")
    coach.get_by_role("link", name="Oil the hinge of the mast").press("Enter")
    coach.get_by_label("Message to the author").focus()
    coach.keyboard.type("Say which oil.")
    coach.get_by_role("button", name="Give back").press("Enter")
    expect(coach.locator(".said")).to_contain_text("Given back")
    author.goto(f"/edit/{number}")
    expect(author.get_by_role("region", name="gave revision 1 back")).to_contain_text("Say which oil.")
    author.locator("[name=resolution]").fill("Use two drops of fine oil.")
    author.get_by_role("button", name="Submit for review").press("Enter")
    expect(author.locator(".said")).to_be_visible()
    coach.goto(f"/edit/{number}")
    coach.get_by_role("button", name="Approve and publish revision 2").press("Enter")
    expect(coach.locator(".said")).to_have_text("Published: searches find it now.")
    author.goto(f"/edit/{number}")
    author.locator("[name=title]").fill("Oil the hinge of the mast twice a year")
    author.keyboard.press("Control+s")
    expect(author.locator("#content")).to_contain_text("Readers see revision 2; this is revision 3.")
    author.get_by_role("link", name="What differs").press("Enter")
    expect(author.locator(".compared ins")).to_contain_text("twice a year")
    author.get_by_label("Left: revision 1", exact=True).check()
    author.get_by_role("button", name="Compare").press("Enter")
    expect(author.locator(".diff")).to_contain_text("of fine oil")
    author.get_by_role("button", name="Restore revision 2").press("Enter")
    expect(author.locator(".said")).to_contain_text("Restored as a new revision")


def test_both_work_without_scripts(tab: Open) -> None:
    number = submitted(tab())
    coach = tab(390, lang="zh", script=False)
    sign_in(coach, person("coach"), f"/edit/{number}")
    coach.get_by_role("button", name="批准并发布第1版").click()
    expect(coach.locator(".said")).to_be_visible()
    coach.get_by_role("link", name="历史版本").click()
    expect(coach.get_by_role("heading", level=1)).to_contain_text("的历史版本")
    expect(coach.locator("time").first).to_contain_text("UTC")


@pytest.mark.parametrize(("width", "lang", "dark"), [(1280, "en", True), (390, "zh", False)])
def test_they_are_accessible(tab: Open, width: int, lang: str, dark: bool) -> None:
    author = tab()
    number = submitted(author)
    author.locator("[name=title]").fill("Oil every hinge")
    author.get_by_role("button", name="Submit for review").press("Enter")
    expect(author.locator(".heading h1")).to_have_text("Oil every hinge")
    page = tab(width, dark=dark, lang=lang)
    sign_in(page, person("coach"), "/edit")
    found: dict[str, Any] = {}
    for path in (f"/edit/{number}", f"/edit/{number}/history?old=1&new=2", "/edit?queue=in_review"):
        page.goto(path)
        found |= {f"{path}: {rule}": places for rule, places in violations(page).items()}
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert found == {}, json.dumps(found, indent=2, ensure_ascii=False)
