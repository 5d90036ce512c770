"""An article with sections for some platforms, in a real browser: chosen by keyboard, without scripts, accessible."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from api.services import Services
from kb import editorial
from kb.access import SYSTEM
from kb.content import Content, Profile
from kb.models import Audience
from tests.e2e.conftest import Open, violations

TEXT = """Save your work.

::: for platform=Windows version=8.0
1. Run **setup.exe**.
2. Restart.
:::

::: 适用 平台＝macOS
Open the package.
:::

Then sign in."""


@pytest.fixture(scope="module")
def number(services: Services) -> str:
    with services.db.write() as session:
        content = Content(title="Put the desk client on a computer", body=TEXT)
        item, revision = editorial.create(session, content, Profile(audience=Audience.PUBLIC), actor=SYSTEM)
        editorial.publish(session, item, revision, actor=SYSTEM)
        named = item.number
    services.indexer.catch_up()
    return named


@pytest.mark.parametrize(("width", "lang", "dark"), [(1280, "en", False), (390, "zh", True)])
def test_only_what_applies_is_shown_when_chosen(
    tab: Open, tmp_path: Path, number: str, width: int, lang: str, dark: bool
) -> None:
    page = tab(width, lang=lang, dark=dark)
    page.goto(f"/a/{number}")
    expect(page.locator("section.applies")).to_have_count(2)
    page.screenshot(path=tmp_path / f"all-{lang}.png")
    assert violations(page) == {}
    plain = tab(width, lang=lang, dark=dark, script=False)
    plain.goto(f"/a/{number}")
    plain.locator("select[name=platform]").select_option("macOS")
    plain.locator("form.applying button").focus()
    plain.keyboard.press("Enter")
    plain.wait_for_url("**platform=macOS**")
    expect(plain.locator("section.applies")).to_have_count(1)
    expect(plain.locator("section.applies")).to_contain_text("Open the package")
    expect(plain.locator("select[name=platform]")).to_have_value("macOS")
    plain.screenshot(path=tmp_path / f"picked-{lang}.png")
    page.goto(plain.url)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
