"""The self-help pages in a real browser: what a customer does, at both widths, in both languages, with and without
scripts, by keyboard alone, and with hostile content."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlmodel import col, select

from api.services import Services
from kb.models import Event, EventKind
from tests.e2e.conftest import HOSTILE, Open, violations

QUESTION = "the app returns to the sign-in page after the update"
"""An exact title: the embedder of these tests knows no meaning, so nothing else is sure enough for an answer."""


def events(services: Services, kind: EventKind) -> list[Event]:
    services.events.flush()
    with services.db.read() as session:
        return list(session.exec(select(Event).where(col(Event.kind) == kind).order_by(col(Event.id))))


def search(page: Page, question: str) -> None:
    page.locator("#q").fill(question)
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**/search**")


@pytest.mark.parametrize("width", [1280, 390])
def test_from_question_to_answer_to_article(tab: Open, services: Services, width: int) -> None:
    page = tab(width)
    page.goto("/")
    expect(page.get_by_role("link", name="Fibrebox")).to_be_visible()
    expect(page.get_by_text("Linedesk")).to_have_count(0)
    search(page, QUESTION)
    answer = page.get_by_role("region", name="Answer")
    expect(answer).to_contain_text("Clear the storage")
    before = len(events(services, EventKind.CLICK))
    answer.locator("a.cite").click()
    page.wait_for_url("**/a/KB-1-**")
    assert "from=" not in page.evaluate("location.href"), "where the click came from does not stay in the address"
    expect(page.get_by_role("heading", level=1)).to_have_text("The app returns to the sign-in page after the update")
    assert page.evaluate("document.querySelector(':target') !== null")
    click = events(services, EventKind.CLICK)[before]
    asked = next(event for event in events(services, EventKind.SEARCH) if event.uid == click.parent)
    assert (click.item_id, click.data["rank"], asked.text, asked.visitor) == (1, 1, QUESTION, click.visitor)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is cut off at this width"


def test_instant_results_by_keyboard(tab: Open) -> None:
    page = tab()
    page.goto("/")
    page.keyboard.press("/")
    page.keyboard.type("reset the router")
    options = page.get_by_role("option")
    expect(options.first).to_contain_text("Reset the router")
    box = page.locator("#q")
    expect(box).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", "instant-1")
    page.keyboard.press("ArrowUp")
    expect(options.first).to_have_attribute("aria-selected", "false")
    page.keyboard.press("Escape")
    expect(page.locator(".instant")).to_be_hidden()
    page.keyboard.type(" now")
    expect(options.first).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/a/KB-3-**")


def test_nothing_is_asked_while_an_input_method_composes(tab: Open) -> None:
    page = tab(lang="zh")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/instant" in request.url else None)
    page.goto("/")
    page.locator("#q").focus()
    session = page.context.new_cdp_session(page)
    session.send("Input.imeSetComposition", {"text": "deng", "selectionStart": 4, "selectionEnd": 4})
    page.wait_for_timeout(400)
    assert asked == []
    session.send("Input.insertText", {"text": "登录页面"})
    expect(page.get_by_role("option").first).to_contain_text("登录页面")
    assert len(asked) == 1


def test_an_answer_to_older_keystrokes_is_dropped(tab: Open) -> None:
    page = tab()
    page.goto("/")
    held: list[Any] = []

    def hold(route: Any) -> None:
        if "q=reset+the+router" in route.request.url:
            route.continue_()
        else:
            held.append(route)

    page.route("**/instant**", hold)
    box = page.locator("#q")
    box.press_sequentially("sign")
    page.wait_for_timeout(300)
    box.fill("reset the router")
    expect(page.get_by_role("option").first).to_contain_text("Reset the router")
    assert len(held) == 1


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_all_of_it_without_scripts(tab: Open, services: Services, lang: str) -> None:
    page = tab(390, lang=lang, script=False)
    page.goto("/")
    assert page.locator("html").get_attribute("lang") == ("zh-Hans" if lang == "zh" else "en")
    page.locator("#q").fill("更新后 App 反复回到登录页面" if lang == "zh" else QUESTION)
    page.locator("form.search button").click()
    page.locator(".hits a").first.click()
    expect(page.locator("h1")).to_have_text(
        "更新后 App 反复回到登录页面" if lang == "zh" else "The app returns to the sign-in page after the update"
    )
    page.locator(".vote button[value=no]").click()
    page.locator("input[value=confusing]").check()
    page.locator("textarea").fill(HOSTILE)
    page.locator(".feedback button").click()
    expect(page.locator(".thanks")).to_be_visible()
    first, second = events(services, EventKind.VOTE)[-2:]
    assert (first.data["helpful"], first.data["reason"]) == (False, None)
    assert (second.data["helpful"], second.data["reason"], second.text) == (False, "confusing", HOSTILE)


@pytest.mark.parametrize("width", [1280, 390])
def test_a_follow_up_is_understood_without_scripts(tab: Open, width: int) -> None:
    page = tab(width, script=False)
    page.goto("/")
    search(page, "How do I reset the router?")
    page.get_by_label("Ask a follow-up question").fill("how long does it take?")
    page.get_by_role("button", name="Ask", exact=True).click()
    understood = "How do I reset the router how long does it take?"
    expect(page.locator("main")).to_contain_text(f"Understood as: {understood}")
    expect(page.get_by_role("navigation", name="This conversation")).to_contain_text("How do I reset the router?")
    page.get_by_label("Ask a follow-up question").fill("why?")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.locator("main")).to_contain_text("Understood as: How do I reset the router why?")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is cut off at this width"
    page.get_by_role("link", name="as typed").click()
    expect(page.locator("main")).not_to_contain_text("Understood as")
    assert page.locator("#q").input_value() == "why?"


def test_languages_are_switched_and_kept(tab: Open) -> None:
    page = tab()
    page.goto("/")
    page.get_by_role("link", name="中文").click()
    expect(page.locator("form.search button")).to_have_text("搜索")
    page.goto("/")
    expect(page.locator("form.search button")).to_have_text("搜索")
    page.goto("/a/KB-1?hl=en")
    page.get_by_role("link", name="更新后 App 反复回到登录页面").click()
    expect(page.locator("article")).to_have_attribute("lang", "zh")


def test_a_reader_gets_the_version_in_the_own_language(tab: Open) -> None:
    page = tab()
    page.goto("/search?q=" + "更新后回到登录页面")
    titles = page.locator(".hits h2").all_inner_texts()
    assert "更新后 App 反复回到登录页面" in titles
    assert "The app returns to the sign-in page after the update" not in titles


@pytest.mark.parametrize(
    "question",
    [
        HOSTILE,
        "'; DROP TABLE item; --",
        "%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        "😀" * 50,
        "\u202eabc",
        "{{7*7}}${7*7}",
    ],
)
def test_hostile_questions_are_text(tab: Open, question: str) -> None:
    page = tab()
    page.goto("/")
    page.locator("#q").fill(question)
    page.wait_for_timeout(250)
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**/search**")
    assert page.locator("main script, main img, main iframe").count() == 0
    assert page.locator("#q").input_value() == question


def test_hostile_content_is_text(tab: Open) -> None:
    page = tab()
    page.goto("/a/KB-4")
    expect(page.locator("h1")).to_have_text(f"Markup {HOSTILE}")
    assert page.locator("main script, main img, main iframe").count() == 0
    assert page.locator("a[href^='javascript']").count() == 0
    page.goto("/")
    page.get_by_role("link", name=HOSTILE, exact=False).first.click()
    expect(page.locator("h1")).to_be_visible()


@pytest.mark.parametrize("path", ["/a/KB-999", "/a/KB-5", "/p/linedesk", "/t/nothing", "/nowhere", "/a/x%00y"])
def test_what_is_not_there_or_not_for_you_looks_the_same(tab: Open, path: str) -> None:
    page = tab()
    response = page.goto(path)
    assert response is not None
    assert response.status == 404
    expect(page.get_by_role("heading", level=1)).to_have_text("This page is not here")
    expect(page.locator("#q")).to_be_visible()
    assert "nternal" not in page.content()


@pytest.mark.parametrize("query", ["q=%ED%A0%80", "q=%00%01", "q=" + "a" * 20000, "q=x&tab=none&product=" + "y" * 3000])
def test_odd_addresses_have_a_page(tab: Open, query: str) -> None:
    page = tab()
    response = page.goto(f"/search?{query}")
    assert response is not None
    assert response.status in (200, 422)
    expect(page.locator("#q")).to_be_visible()


def test_no_answer_says_so_and_offers_a_way_on(tab: Open) -> None:
    page = tab()
    page.goto("/search?q=qwertz+9000+zzz")
    expect(page.get_by_role("region")).to_contain_text("Contact support")


def test_pages_tell_browsers_to_load_nothing_else(tab: Open, address: str) -> None:
    page = tab()
    for path in ("/", "/search?q=reset", "/a/KB-3", "/nowhere"):
        response = page.goto(path)
        assert response is not None
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert "unsafe" not in response.headers["content-security-policy"]
    static = page.request.get(page.locator("link[rel=stylesheet]").get_attribute("href") or "")
    assert "immutable" in static.headers["cache-control"]


PAGES = [
    "/",
    "/search?q=reset+the+router",
    "/search?q=sign+in+after+the+update",
    "/search?q=qwertz+zzz",
    "/a/KB-1",
    "/a/KB-3",
    "/a/KB-3?voted=no",
    "/p/fibrebox",
    "/nowhere",
    "/search?q=why&after=How+do+I+reset+the+router",
]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [1280, 390])
def test_accessible(tab: Open, width: int, lang: str, dark: bool) -> None:
    page = tab(width, dark=dark, lang=lang)
    found: dict[str, Any] = {}
    for path in PAGES:
        page.goto(path)
        found |= {f"{path}: {rule}": places for rule, places in violations(page).items()}
    assert found == {}, json.dumps(found, indent=2, ensure_ascii=False)
