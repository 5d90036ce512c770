"""Resolving a case in a real browser: by keyboard alone, without scripts, in both languages, on a phone, accessible."""

import json

import pytest
from playwright.sync_api import expect

from api.services import Services
from kb import accounts
from kb.access import SYSTEM
from tests.e2e.conftest import PASSWORD, Open, sign_in, violations
from tests.integration.test_capture import CHINESE, ENGLISH

EMAIL = "resolver@example.org"


@pytest.fixture(scope="module", autouse=True)
def _contributor(services: Services) -> None:
    with services.db.write() as session:
        accounts.add(session, EMAIL, actor=SYSTEM, name="Rea Solver", role="contributor", password=PASSWORD)


@pytest.mark.parametrize(
    ("width", "lang", "dark", "script", "case"), [(1280, "en", False, True, ENGLISH), (390, "zh", True, False, CHINESE)]
)
def test_a_case_is_resolved_by_keyboard(
    tab: Open, width: int, lang: str, dark: bool, script: bool, case: dict[str, str]
) -> None:
    page = tab(width, lang=lang, dark=dark, script=script)
    words = {"en": ("Look for", "Keep the case", "Kept as"), "zh": ("查找个人信息", "保存案例", "已保存为")}[lang]
    found = {}

    def seen(step: str) -> None:
        if script:
            found.update({f"{step}: {rule}": places for rule, places in violations(page).items()})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), step

    sign_in(page, EMAIL, "/cases/new")
    page.locator("[name=number]").focus()
    for name in ("number", "title", "issue", "environment", "resolution", "cause", "product", "version", "channel"):
        assert page.locator(f"[name={name}]").evaluate("it => it === document.activeElement"), name
        page.keyboard.insert_text(case.get(name, ""))
        page.keyboard.press("Tab")
    seen("form")
    page.get_by_role("button", name=words[0]).focus()
    page.keyboard.press("Enter")
    name = "Maren Holt" if lang == "en" else "彭佳慧"
    expect(page.locator("mark").first).to_have_text(name, timeout=60_000)  # a process starts for it
    expect(page.locator("[name=undone]:checked")).to_have_count(0)
    seen("review")
    first = page.locator("[name=undone]").last
    value = first.get_attribute("value")
    first.focus()
    page.keyboard.press("Space")
    page.locator("[name=hide]").first.focus()
    page.keyboard.insert_text("Zedwick" if lang == "en" else "清除存储数据")
    page.keyboard.press("Enter")  # shows it, keeps nothing
    expect(page.locator(".undone").first).to_have_text(value or "")
    expect(page.locator("[name=undone]:checked")).to_have_count(1)
    seen("review again")
    page.locator("[name=draft]").focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name=words[1]).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#kept")).to_contain_text(words[2])
    seen("kept")
    page.locator(".notice a").last.focus()
    page.keyboard.press("Enter")
    expect(page.locator("[name=title]")).to_have_value(
        "[PERSON_1] cannot sign in after the update" if lang == "en" else CHINESE["title"]
    )
    assert found == {}, json.dumps(found, indent=2, ensure_ascii=False)
