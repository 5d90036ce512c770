"""A problem reported below an article and settled beside its text: by keyboard, without scripts, accessible."""

import json

import pytest
from playwright.sync_api import Page, expect

from api.services import Services
from kb import accounts
from kb.access import SYSTEM
from tests.e2e.conftest import PASSWORD, Open, sign_in, violations

ARTICLE = "/a/KB-3"


def person(role: str) -> str:
    return f"{role}@flagging.example.org"


@pytest.fixture(scope="module", autouse=True)
def _people(services: Services) -> None:
    with services.db.write() as session:
        for role in ("customer", "contributor"):
            accounts.add(session, person(role), actor=SYSTEM, name=role, role=role, password=PASSWORD)


@pytest.mark.parametrize(("lang", "script", "dark", "width"), [("en", True, True, 1280), ("zh", False, False, 390)])
def test_reported_and_settled_by_keyboard(tab: Open, lang: str, script: bool, dark: bool, width: int) -> None:
    page = tab(width, lang=lang, script=script, dark=dark)
    page.goto(ARTICLE)
    expect(page.locator("#report")).to_have_count(0)
    sign_in(page, person("customer"), ARTICLE)
    page.locator("#report summary").press("Enter")
    page.locator("#report [value=outdated]").press("Space")
    page.locator("#report textarea").fill(f"The light is green {lang}")
    check(page, script)
    page.locator("#report button").press("Enter")
    expect(page.locator("#report[role=status]")).to_be_visible()
    writer = tab(width, lang=lang, script=script, dark=dark)
    sign_in(writer, person("contributor"), "/edit?queue=flagged")
    writer.locator(".rows a").first.press("Enter")
    panel = writer.locator("[aria-labelledby=flags]")
    expect(panel).to_contain_text(f"The light is green {lang}")
    check(writer, script)
    panel.locator("[value=dismissed]").press("Enter")
    expect(writer.locator("#content")).to_contain_text("say why there is nothing to mend")
    panel.locator("[name=answer]").fill("Green is right")
    panel.locator("[value=dismissed]").press("Enter")
    expect(writer.locator(".said")).to_be_visible()
    expect(panel.locator("[value=dismissed]")).to_have_count(0)


def check(page: Page, script: bool) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if script:  # axe is one
        found = violations(page)
        assert found == {}, json.dumps(found, indent=2)
