"""The page on which a case is resolved: told, reviewed, kept without what is personal in it."""

import html
import re
from pathlib import Path
from typing import Any, NoReturn

import pytest
from fastapi.testclient import TestClient

from api.services import Services
from kb import capture, editorial, spaces
from kb.access import SYSTEM
from kb.content import Content, Profile, labels
from kb.errors import Unavailable
from kb.models import Audience
from tests.integration.test_capture import CHINESE, ENGLISH, ORIGINALS, counted, everything
from tests.integration.test_editing import client, sign_in

__all__ = ["client"]

HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')

KEPT = re.compile(r'As it is kept</h3>\s*<div class="compared"[^>]*>(.*?)</div>', re.DOTALL)


def carried(page: str) -> dict[str, Any]:
    """Return what the hidden fields of a page say, as a browser sends them."""
    fields: dict[str, list[str]] = {}
    for name, value in HIDDEN.findall(page):
        fields.setdefault(name, []).append(html.unescape(value).replace("\n", "\r\n"))
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}


def test_who_may_not_is_led_away_or_told_and_agents_find_it(services: Services, client: TestClient) -> None:
    assert client.get("/cases/new").headers["location"] == "/sign-in?to=%2Fcases%2Fnew"
    sign_in(services, client, "customer")
    assert client.get("/cases/new").status_code == 403
    assert client.post("/cases/new", data={**ENGLISH, "action": "keep"}).status_code == 403
    assert 'href="/cases/new"' not in client.get("/account").text
    sign_in(services, client, "agent")
    assert 'href="/cases/new"' in client.get("/account").text
    page = client.get("/cases/new")
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    del client.headers["x-csrf-token"]
    assert client.post("/cases/new", data={**ENGLISH, "action": "keep"}).status_code == 403
    assert counted(services) == 0


@pytest.mark.parametrize("case", [ENGLISH, CHINESE])
def test_a_case_is_reviewed_and_kept_and_its_original_is_nowhere(
    services: Services, client: TestClient, case: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    sign_in(services, client, "contributor")
    review = client.post("/cases/new", data=case)
    assert (review.status_code, review.headers["cache-control"]) == (200, "no-store")
    name = ORIGINALS[case["number"]][0]
    assert re.search(rf"<mark>{name}[^<]*</mark> <small[^>]*>[^<]* → \[PERSON_1\]</small>", review.text)
    assert 'name="undone"' in review.text
    assert " checked" not in review.text
    assert counted(services) == 0, "a review keeps nothing"
    more = {"hide": ["Zedwick"], "hide_kind": ["PERSON"]} if case is ENGLISH else {}
    decided = {**carried(review.text), **more}
    as_kept = "".join(KEPT.findall(client.post("/cases/new", data=decided).text))
    assert "[PERSON_1]" in as_kept
    assert not [one for one in ORIGINALS[case["number"]] if one in as_kept]
    done = client.post("/cases/new", data={**decided, "draft": "yes", "action": "keep"})
    assert (done.status_code, done.headers["cache-control"]) == (303, "no-store")
    assert done.headers["location"] == "/cases/new?kept=KB-1&article=KB-2"
    page = client.get(done.headers["location"]).text
    assert "Kept as KB-1." in page
    assert 'href="/edit/KB-2"' in page
    assert "Edit the article" in page
    services.indexer.flush()
    with services.db.read() as session:
        kept = everything(session)
    assert "[PERSON_1]" in kept
    files = [path.read_bytes() for path in Path(services.settings.data).rglob("*") if path.is_file()]
    for original in ORIGINALS[case["number"]]:
        assert original not in kept
        assert original not in caplog.text
        assert original not in page
        for encoded in (original.encode(), original.encode("utf-16-le"), ascii(original)[1:-1].encode()):
            assert not any(encoded in one for one in files)


def test_a_case_sent_without_decisions_exposes_nothing(services: Services, client: TestClient) -> None:
    sign_in(services, client, "agent")
    assert client.post("/cases/new", data={**ENGLISH, "action": "keep"}).status_code == 303
    with services.db.read() as session:
        kept = everything(session)
    assert not [one for one in ORIGINALS["CS-1001"] if one != "Zedwick" and one in kept]


def test_what_is_not_personal_stays_and_the_decisions_live_through_every_step(
    services: Services, client: TestClient
) -> None:
    sign_in(services, client, "agent")
    secret = {**ENGLISH, "cause": "The note <b>said</b> 198.51.100.7."}
    decided = {**secret, "undone": ["203.0.113.77"], "hide": ["", "Zedwick"], "hide_kind": ["PERSON", "ADDRESS"]}
    review = client.post("/cases/new", data=decided)
    assert '<span class="undone">203.0.113.77</span>' in review.text
    assert re.search(r'name="undone" value="203.0.113.77"[^>]* checked', review.text)
    assert not re.search(r'name="undone" value="198.51.100.7"[^>]* checked', review.text)
    assert "<mark>Zedwick</mark>" in review.text
    assert 'name="hide" value="Zedwick"' in review.text
    assert "&lt;b&gt;said" in review.text
    assert "draft" not in re.findall(r'name="(\w+)"', review.text), "drafting takes a contributor"
    edit = client.post("/cases/new", data={**decided, **carried(review.text), "action": "edit"})
    assert ENGLISH["resolution"] in html.unescape(edit.text)
    kept = carried(edit.text)
    assert (kept["undone"], kept["hide"]) == ("203.0.113.77", ["", "Zedwick"])
    assert client.post("/cases/new", data={**secret, **kept, "action": "keep"}).status_code == 303
    read = client.get("/v1/items/KB-1").json()
    assert "203.0.113.77" in read["environment"]
    assert "[ADDRESS_1] saw it too" in read["issue"]
    assert "198.51.100.7" not in read["cause"]
    again = client.post("/cases/new", data=secret, headers={"Accept-Language": "zh"})
    assert "此案例已保存为KB-1" in again.text
    done = client.post("/cases/new", data={**secret, "cause": "Another.", "action": "keep"})
    assert "new revision of KB-1" in client.get(done.headers["location"]).text


def test_near_duplicates_are_shown(services: Services, client: TestClient) -> None:
    title, issue, resolution = (
        ENGLISH[name].replace("Maren Holt", "A customer") for name in ("title", "issue", "resolution")
    )
    with services.db.write() as session:
        item, revision = editorial.create(
            session, Content(title=title, issue=issue, resolution=resolution), Profile(), actor=SYSTEM
        )
        editorial.publish(session, item, revision, actor=SYSTEM)
    services.indexer.catch_up()
    sign_in(services, client, "agent")
    assert '<span class="number">KB-1</span>' in client.post("/cases/new", data=ENGLISH).text


def test_what_is_wrong_is_said_beside_what_was_typed(
    services: Services, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with services.db.write() as session:
        spaces.add(session, "lake", name="Lake")
        spaces.add(session, "harbour", name="Harbour")
    sign_in(services, client, "agent", "lake")
    for wrong, status, told in (
        ({"title": " "}, 422, "Title: a case needs a title"),
        ({"number": "no number <a@b>"}, 422, "Number of the case: the number"),
        ({"hide": "nowhere", "hide_kind": "PERSON"}, 422, "Also hide: what is to be hidden"),
        ({"hide": "Zedwick"}, 422, "Also hide: each text to hide needs its kind"),
        ({"space": "harbour"}, 403, "You may not do this"),
        ({"issue": ENGLISH["issue"] * 2000}, 413, "at most 100,000 characters"),
    ):
        answer = client.post("/cases/new", data={**ENGLISH, **wrong, "action": "keep"})
        assert (answer.status_code, answer.headers["cache-control"]) == (status, "no-store"), wrong
        (problem,) = re.findall(r'<p class="problem" role="alert">(.*?)</p>', answer.text)
        assert told in html.unescape(problem)
        assert ENGLISH["cause"] in html.unescape(answer.text)
    drafting = client.post("/cases/new", data={**ENGLISH, "draft": "yes", "action": "keep"})
    assert drafting.status_code == 403

    def fail(text: str, lang: str) -> NoReturn:
        raise Unavailable("the search ended")

    monkeypatch.setattr(services.redactor, "find", fail)
    answer = client.post("/cases/new", data={**ENGLISH, "action": "keep"})
    assert (answer.status_code, ENGLISH["cause"] in answer.text) == (503, True)
    assert counted(services) == 0


def test_what_is_not_there_is_not_said_to_be_kept(services: Services, client: TestClient) -> None:
    sign_in(services, client, "agent")
    assert client.get("/cases/new?kept=KB-9").status_code == 404


def test_how_cases_came_in_is_no_popular_topic(services: Services, client: TestClient) -> None:
    with services.db.write() as session:
        item, revision = editorial.create(
            session,
            Content(title="A case"),
            Profile(audience=Audience.PUBLIC, labels=labels(topics=["wifi", capture.CHANNEL + "phone"])),
            actor=SYSTEM,
        )
        editorial.publish(session, item, revision, actor=SYSTEM)
    page = client.get("/").text
    assert "/t/wifi" in page
    assert "channel" not in page
