"""Writing in a real browser: by keyboard alone, with and without scripts, in both languages, accessible."""

import json
from typing import Any

import pytest
from playwright.sync_api import expect

from api.services import Services
from kb import accounts
from kb.access import SYSTEM
from kb.events import Happened
from kb.models import EventKind
from tests.e2e.conftest import PASSWORD, Open, sign_in, violations

EMAIL = "editor@example.org"
QUESTION = "how is the antenna turned towards the mast"
"""Long enough that no other test's text is near it."""


@pytest.fixture(scope="module", autouse=True)
def _editor(services: Services) -> None:
    with services.db.write() as session:
        accounts.add(session, EMAIL, actor=SYSTEM, name="Eda Itor", role="admin", password=PASSWORD)


def test_an_article_is_written_tried_and_published_by_keyboard(tab: Open, services: Services) -> None:
    services.events.add(Happened(kind=EventKind.SEARCH, role="anonymous", text=QUESTION))
    services.events.flush()
    page = tab()
    sign_in(page, EMAIL, "/edit/new")
    page.locator("[name=title]").focus()
    page.keyboard.type("Turn the antenna towards the mast")
    page.keyboard.press("Tab")
    page.keyboard.type(QUESTION)
    page.locator("[name=resolution]").focus()
    page.keyboard.type("Loosen the **clamp** and turn it.")
    page.locator("[name=similar]").focus()
    page.keyboard.type(QUESTION)
    expect(page.locator("#preview strong")).to_have_text("clamp")
    expect(page.locator("#unsaved")).to_have_text("Not saved yet")
    page.locator("[name=audience]").select_option("public")
    page.keyboard.press("Control+s")
    expect(page.locator(".said")).to_have_text("Saved.")
    number = page.url.split("/edit/")[1].split("?")[0]
    near = page.get_by_role("button", name="Look for near duplicates")
    near.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#duplicates")).to_contain_text("Nothing published says the same")
    expect(near).to_be_focused()
    page.get_by_role("button", name="Ask the questions of the last days").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#replay")).to_contain_text("revision 1")
    page.locator("[name=title]").focus()
    page.keyboard.press("Control+Enter")
    expect(page.locator(".said")).to_have_text("Published: searches find it now.")
    page.goto("/search?q=Turn+the+antenna+towards+the+mast")
    expect(page.get_by_role("region", name="Answer")).to_contain_text("Loosen the clamp")
    page.goto(f"/edit/{number}")
    page.get_by_role("button", name="Retire").click()
    expect(page.locator("#acts")).to_have_text("Retired")


def test_without_scripts_the_same_can_be_done(tab: Open) -> None:
    page = tab(390, lang="zh", script=False)
    sign_in(page, EMAIL, "/edit/new")
    page.locator("[name=title]").fill("没有脚本也能写")
    page.locator("[name=resolution]").fill("直接提交表单。")
    page.get_by_role("button", name="保存草稿").click()
    expect(page.locator(".said")).to_have_text("已保存。")
    page.get_by_role("button", name="用近期的提问试一试").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("发布后会有什么变化")
    page.go_back()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(("width", "lang", "dark"), [(1280, "en", False), (390, "zh", True)])
def test_the_pages_of_writers_and_admins_are_accessible(tab: Open, width: int, lang: str, dark: bool) -> None:
    page = tab(width, dark=dark, lang=lang)
    found: dict[str, Any] = {}
    paths = ["/sign-in", "/edit", "/edit/new", "/edit/KB-1", "/people", "/audit", "/account"]
    for path in paths:
        if path == "/edit":
            sign_in(page, EMAIL, "/edit")
        page.goto(path)
        found |= {f"{path}: {rule}": places for rule, places in violations(page).items()}
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert found == {}, json.dumps(found, indent=2, ensure_ascii=False)
