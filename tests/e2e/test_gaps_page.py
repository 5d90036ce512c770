"""Gaps in a real browser: by keyboard, in both languages, at phone width, accessible."""

import json
from datetime import timedelta
from typing import Any

from playwright.sync_api import expect

from api.services import Services
from ingest.gaps import refresh
from kb import accounts, events
from kb.access import SYSTEM
from kb.events import Happened
from kb.models import EventKind, now
from retrieval.tuned import Nearness
from tests.e2e.conftest import PASSWORD, Open, sign_in, violations

ASKED = {"how to swap the battery": 9, "how to swap the batteries": 3, "天线应该朝哪个方向": 4, "does it sing": 2}


def test_from_the_chart_to_a_draft(tab: Open, services: Services) -> None:
    at = now() - timedelta(hours=1)
    for text, times in ASKED.items():
        data = {"band": "no_answer"}
        events.write(
            services.db, [Happened(EventKind.ANSWER, "anonymous", text=text, at=at, data=data) for _ in range(times)]
        )
    refresh(services.db, services.generation, services.searcher, near=Nearness(within=0.55, across=0.55))
    with services.db.write() as session:
        accounts.add(session, "gaps@example.org", actor=SYSTEM, name="ann", role="contributor", password=PASSWORD)
    found: dict[str, Any] = {}
    for width, lang, dark in ((390, "zh", True), (1280, "en", False)):
        page = tab(width, lang=lang, dark=dark)
        sign_in(page, "gaps@example.org", "/edit")
        page.get_by_role("link", name="Unanswered questions" if lang == "en" else "未获解答的提问").press("Enter")
        expect(page.get_by_role("img")).to_have_accessible_name(
            "How often each gap failed, and their share together" if lang == "en" else "各缺口的未解答次数及累计占比"
        )
        found |= {f"{lang} list: {rule}": places for rule, places in violations(page).items()}
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.get_by_role("link", name="how to swap the battery").press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("how to swap the battery")
        found |= {f"{lang} gap: {rule}": places for rule, places in violations(page).items()}
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert found == {}, json.dumps(found, indent=2, ensure_ascii=False)
    page.get_by_label("Number of the item, as KB-42").fill("KB-999")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("KB-999")
    page.get_by_role("button", name="Draft an answer").press("Enter")
    expect(page.locator("[name=title]")).to_have_value("how to swap the battery")
    page.goto("/gaps")
    page.get_by_label("State").select_option("drafted")
    page.get_by_role("button", name="Apply").press("Enter")
    expect(page.get_by_role("row")).to_have_count(2)
