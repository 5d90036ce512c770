"""The editor in a real browser where others saved meanwhile: seen, heard, put together and saved by keyboard."""

import json

import pytest
from playwright.sync_api import expect

from api.services import Services
from kb import accounts, editorial, items
from kb.access import SYSTEM, scope_of
from kb.content import Content, Profile
from tests.e2e.conftest import PASSWORD, Open, sign_in, violations

EMAIL = "second@example.org"
WORDS = {"en": ("What came meanwhile", "yours to decide", "Saved."), "zh": ("期间的修改", "由您决定", "已保存。")}
GO_ON = {"en": "Go on with it", "zh": "继续编辑"}
DISCARD = {"en": "Discard it", "zh": "放弃"}
GONE = {"en": "Discarded.", "zh": "已放弃。"}
KEPT = {"en": "Kept at", "zh": "暂存"}


@pytest.fixture(scope="module", autouse=True)
def _person(services: Services) -> None:
    with services.db.write() as session:
        accounts.add(session, EMAIL, actor=SYSTEM, name="Sec Ond", role="editor", password=PASSWORD)


@pytest.mark.parametrize(("width", "lang", "dark"), [(1280, "en", False), (390, "zh", True)])
def test_both_are_put_together_by_keyboard(tab: Open, services: Services, width: int, lang: str, dark: bool) -> None:
    title = f"Two write on this at once, {lang}"
    with services.db.write() as session:
        item, _ = editorial.create(
            session, Content(title=title, issue="It is red.", resolution="one\ntwo\nthree"), Profile(), actor=SYSTEM
        )
        number = item.number
    page = tab(width, dark=dark, lang=lang)
    sign_in(page, EMAIL, f"/edit/{number}")
    with services.db.write() as session:
        item = items.get(session, number, scope_of(session, SYSTEM))
        theirs = Content(title=title, issue="It is green.", resolution="one\ntwo\n3")
        editorial.revise(session, item, theirs, actor=SYSTEM, message="Seen in the shop")
    page.locator("[name=issue]").fill("It is blue.")
    page.locator("[name=resolution]").fill("1\ntwo\nthree")
    expect(page.locator("#kept")).to_contain_text(KEPT[lang])
    page.keyboard.press("Control+s")
    heading, decide, saved = WORDS[lang]
    shown = page.get_by_role("region", name=heading)
    expect(shown).to_contain_text("Seen in the shop")
    expect(shown.locator(".tag.strong")).to_have_text(decide)
    expect(page.locator("[name=issue]")).to_have_value("It is blue.")
    expect(page.locator("[name=resolution]")).to_have_value("1\ntwo\n3")
    found = violations(page)
    assert found == {}, json.dumps(found, indent=2, ensure_ascii=False)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("[name=issue]").focus()
    page.keyboard.press("Control+s")
    expect(page.locator(".said")).to_have_text(saved)
    expect(page.locator("[name=issue]")).to_have_value("It is blue.")


@pytest.mark.parametrize(("width", "lang", "dark"), [(390, "en", True), (1280, "zh", False)])
def test_what_is_typed_is_kept_and_offered(tab: Open, services: Services, width: int, lang: str, dark: bool) -> None:
    with services.db.write() as session:
        item, _ = editorial.create(session, Content(title=f"Kept as typed, {lang}"), Profile(), actor=SYSTEM)
        number = item.number
    page = tab(width, dark=dark, lang=lang)
    sign_in(page, EMAIL, f"/edit/{number}")
    for issue in ("first", "first and second"):
        page.locator("[name=issue]").fill(issue)
        with page.expect_response(lambda answer: "/v1/drafts/" in answer.url) as kept:
            pass
        assert kept.value.status == 200
        expect(page.locator("#kept")).to_contain_text(KEPT[lang])
    plain = tab(width, dark=dark, lang=lang, script=False)
    sign_in(plain, EMAIL, f"/edit/{number}")
    go_on = plain.get_by_role("link", name=GO_ON[lang])
    offered = page.context.new_page()
    offered.goto(f"/edit/{number}")
    expect(offered.get_by_role("link", name=GO_ON[lang])).to_be_visible()
    assert offered.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = violations(offered)
    assert found == {}, json.dumps(found, indent=2, ensure_ascii=False)
    go_on.focus()
    plain.keyboard.press("Enter")
    expect(plain.locator("[name=issue]")).to_have_value("first and second")
    plain.get_by_role("button", name=DISCARD[lang]).focus()
    plain.keyboard.press("Enter")
    expect(plain.locator(".said")).to_have_text(GONE[lang])
    expect(plain.locator("[name=issue]")).to_have_value("")
