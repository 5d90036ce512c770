"""The page of gaps: the list with its chart, one gap, what is done about it, and who sees it."""

import re

import pytest
from fastapi.testclient import TestClient

from api.services import Services
from api.web.pareto import chart
from kb import spaces
from kb.models import GapState
from tests.integration.test_editing import client as plain_client
from tests.integration.test_editing import sign_in
from tests.integration.test_gaps import ANTENNA, BATTERIES, BATTERY, ask, look, publish, state

__all__ = ["plain_client"]


@pytest.fixture
def client(services: Services, plain_client: TestClient) -> TestClient:
    """With two gaps: 2 on batteries (5 failures), 1 on antennas (4)."""
    ask(services, BATTERY, times=3)
    ask(services, f"{BATTERIES} <b>", times=2)
    ask(services, ANTENNA, times=4)
    assert look(services).opened == 2
    return plain_client


def test_the_chart_and_the_table_have_the_same_numbers(services: Services, client: TestClient) -> None:
    sign_in(services, client, "contributor")
    assert 'href="/gaps"' in client.get("/edit").text
    page = client.get("/gaps").text
    rows = re.findall(r'<td class="count">(\d+)</td>\s*<th scope="row"><a href="(.+?)">(.+?)</a>', page)
    assert rows == [("2", "/gaps?gap=2", BATTERY), ("1", "/gaps?gap=1", ANTENNA)]
    assert re.findall(
        r'<td class="count">([\d%]+)</td><td class="count">(\d+%)</td><td class="count">(\d+%)<', page
    ) == [
        ("5", "56%", "56%"),
        ("4", "44%", "100%"),
    ]
    assert 'role="img" aria-labelledby="pareto-title" aria-describedby="pareto-said"' in page
    assert "Gap 2: 5, together 56%. Gap 1: 4, together 100%." in page
    assert "2 of 2 gaps make up 100% of 9 failures" in page
    assert page.count("<rect") == page.count("<circle") == 2
    assert "No gap is in this state." in client.get("/gaps?state=ignored").text
    assert client.get("/gaps?state=nonsense&start=x").status_code == 200
    assert "缺口2：5次，累计56%。" in client.get("/gaps?hl=zh").text


def test_a_gap_shows_its_questions_as_text(services: Services, client: TestClient) -> None:
    sign_in(services, client, "contributor")
    page = client.get("/gaps?gap=2").text
    assert page.index("Most central") < page.index("Most asked")
    assert f"{BATTERIES} &lt;b&gt;" in page
    assert "3 ×, last on" in page
    assert client.get("/gaps?gap=3").status_code == client.get("/gaps?gap=x").status_code == 404


def test_a_draft_leads_to_its_editor(services: Services, client: TestClient) -> None:
    sign_in(services, client, "contributor")
    made = client.post("/gaps/2", data={"action": "draft"})
    assert (made.status_code, made.headers["location"]) == (303, "/edit/KB-1?saved=saved")
    assert BATTERY in client.get("/edit/KB-1").text
    page = client.get("/gaps?gap=2").text
    assert 'href="/edit/KB-1"' in page
    assert 'value="draft"' not in page
    again = client.post("/gaps/2", data={"action": "draft"})
    assert (again.status_code, "gap 2 is drafted by KB-1" in again.text) == (409, True)


def test_questions_are_added_resolved_ignored_and_taken_back(services: Services, client: TestClient) -> None:
    item = publish(services, "Everything about power")
    sign_in(services, client, "contributor")
    refused = client.post("/gaps/2", data={"action": "similar", "item": "KB-99"})
    assert refused.status_code == 404
    assert 'role="alert"' in refused.text
    assert 'value="KB-99"' in refused.text
    done = client.post("/gaps/2", data={"action": "similar", "item": f" KB-{item} "})
    assert done.headers["location"] == "/gaps?gap=2&done=similar"
    page = client.get(done.headers["location"]).text
    assert "in a new revision" in page
    assert BATTERIES in client.get(f"/edit/KB-{item}").text
    assert client.post("/gaps/2", data={"action": "resolve"}).status_code == 303
    assert state(services, 2) is GapState.RESOLVED
    empty = client.post("/gaps/1", data={"action": "ignore", "reason": " "})
    assert (empty.status_code, "why nothing is to answer it" in empty.text) == (422, True)
    assert client.post("/gaps/1", data={"action": "ignore", "reason": "not <ours>"}).status_code == 303
    assert "not &lt;ours&gt;" in client.get("/gaps?gap=1&hl=zh").text
    assert ANTENNA in client.get("/gaps?state=ignored").text
    assert client.post("/gaps/1", data={"action": "reopen"}).status_code == 303
    assert state(services, 1) is GapState.OPEN
    assert client.post("/gaps/1", data={"action": "delete"}).status_code == 422


def test_it_is_for_those_who_write_in_its_space(services: Services, client: TestClient) -> None:
    for path in ("/gaps", "/gaps?gap=2"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["location"].startswith("/sign-in?to=%2Fgaps")) == (303, True)
    sign_in(services, client, "agent")
    for answer in (client.get("/gaps"), client.get("/gaps?gap=2"), client.post("/gaps/2", data={"action": "draft"})):
        assert (answer.status_code, BATTERY in answer.text) == (403, False)
    with services.db.write() as session:
        spaces.add(session, "lake", name="Lake")
    sign_in(services, client, "contributor", "lake")
    assert BATTERY not in client.get("/gaps").text
    for answer in (client.get("/gaps?gap=2"), client.post("/gaps/2", data={"action": "ignore", "reason": "x"})):
        assert (answer.status_code, BATTERY in answer.text) == (404, False)
    sign_in(services, client, "contributor")
    del client.headers["x-csrf-token"]
    assert client.post("/gaps/2", data={"action": "ignore", "reason": "x"}).status_code == 403
    assert state(services, 2) is GapState.OPEN


def test_the_geometry_of_a_chart() -> None:
    drawn = chart([6, 3, 1], [0.6, 0.9, 1.0])
    assert [bar.height for bar in drawn.bars] == [drawn.floor - drawn.top, 80, pytest.approx(26.7)]
    assert all(bar.y + bar.height == pytest.approx(drawn.floor, abs=0.1) for bar in drawn.bars)
    assert drawn.bars[-1].line == drawn.top
    assert drawn.left < drawn.bars[0].x < drawn.bars[-1].x + drawn.bars[-1].width < drawn.right
    assert chart([], []).bars == []
