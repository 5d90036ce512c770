"""Cases captured on resolve: reviewed, kept without what is personal in them, found, drafted from."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import inspect, text
from sqlmodel import Session, select

from api.app import create_app
from api.services import Services
from kb import capture, editorial, events, items, keys, spaces
from kb.access import SYSTEM
from kb.content import Content, Profile
from kb.errors import Conflict, KBError, Misconfigured, Unavailable
from kb.models import Audience, Confidence, EventKind, Facet, Item

ENGLISH = {
    "number": "CS-1001",
    "title": "Maren Holt cannot sign in after the update",
    "issue": "Hi, my name is Maren Holt, mail maren.holt@example.org, phone +44 20 7946 0958.\n\nSince the update to "
    "8.0 the app asks me to sign in again and again. Zedwick saw it too.",
    "environment": "Android 15, network address 203.0.113.77",
    "resolution": "Cleared the storage of the app for Maren Holt and set `password: Summer2026!` once.",
    "cause": "Old sessions do not fit the new account service.",
    "product": "vellamo-app",
    "version": "8.0",
    "channel": "e-mail",
}
CHINESE = {
    "number": "CS-1002",
    "title": "更新后反复要求登录",
    "issue": "我叫彭佳慧，手机 13812345678，身份证 11010519491231002X。更新到 8.0 之后 App 一再要求登录。",
    "resolution": "已为彭佳慧清除存储数据，然后用电子邮箱 pengjiahui@example.cn 登录。",
    "product": "vellamo-app",
    "version": "8.0",
    "channel": "电话",
}
ORIGINALS = {
    "CS-1001": ["Maren", "maren.holt", "7946 0958", "203.0.113.77", "Summer2026", "Zedwick"],
    "CS-1002": ["彭佳慧", "13812345678", "11010519491231002X", "pengjiahui"],
}
DECIDED: dict[str, Any] = {"added": [{"kind": "PERSON", "text": "Zedwick"}]}


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with services.db.write() as session:
        spaces.add(session, "lake", name="Lake")
        spaces.add(session, "harbour", name="Harbour")
    with TestClient(create_app(services), raise_server_exceptions=False) as opened:
        yield opened


def bearer(services: Services, role: str, space: str | None = None) -> dict[str, str]:
    with services.db.write() as session:
        where = spaces.by_key(session, space).id if space else None
        return {"Authorization": f"Bearer {keys.add(session, f'{role} {space}', role, actor=SYSTEM, space_id=where)}"}


def counted(services: Services) -> int:
    with services.db.read() as session:
        return len(session.exec(select(Item)).all())


def everything(session: Session) -> str:
    """Return all that is in the texts, JSON and bytes of all tables."""
    said = []
    for table in inspect(session.get_bind()).get_table_names():
        for row in session.connection().execute(text(f'SELECT * FROM "{table}"')):
            said += [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in row]
    return "\n".join(said)


def test_a_review_shows_what_is_personal_and_keeps_nothing(services: Services, client: TestClient) -> None:
    agent = bearer(services, "agent")
    answer = client.post("/v1/cases/review", json=ENGLISH, headers=agent)
    assert answer.status_code == 200, answer.text
    review = answer.json()
    assert (review["lang"], review["item"], set(review["fields"])) == (
        "en", None, {"title", "issue", "environment", "resolution", "cause", "product", "version", "channel"}
    )  # fmt: skip
    for name, field in review["fields"].items():
        for found in field["findings"]:
            assert ENGLISH[name][found["start"] : found["end"]] == found["text"]
    issue = {found["text"]: found for found in review["fields"]["issue"]["findings"]}
    assert issue["Maren Holt"]["kind"] == "PERSON"
    assert issue["maren.holt@example.org"]["placeholder"] == "[EMAIL_1]"
    # A name told in the issue is known in the title and the resolution, by the same placeholder.
    name = issue["Maren Holt"]["placeholder"]
    assert review["fields"]["title"]["redacted"] == f"{name} cannot sign in after the update"
    assert name in review["fields"]["resolution"]["redacted"]
    assert "Summer2026" not in review["fields"]["resolution"]["redacted"]
    assert "Zedwick" in review["fields"]["issue"]["redacted"]
    assert review["fields"]["version"] == {"findings": [], "redacted": "8.0"}
    assert counted(services) == 0


def test_a_person_undoes_and_adds(services: Services, client: TestClient) -> None:
    agent = bearer(services, "agent")
    decided = {**ENGLISH, "undone": ["203.0.113.77", "what is nowhere"], **DECIDED}
    fields = client.post("/v1/cases/review", json=decided, headers=agent).json()["fields"]
    assert fields["environment"]["redacted"] == ENGLISH["environment"]
    assert [(one["text"], one["undone"]) for one in fields["environment"]["findings"]] == [("203.0.113.77", True)]
    assert "Zedwick" not in fields["issue"]["redacted"]
    assert client.post("/v1/cases", json=decided, headers=agent).status_code == 201
    with services.db.read() as session:
        kept = everything(session)
    assert "203.0.113.77" in kept
    assert "Zedwick" not in kept


@pytest.mark.parametrize("case", [ENGLISH, CHINESE])
def test_no_original_is_kept_anywhere(
    services: Services, client: TestClient, case: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    writer = bearer(services, "contributor")
    sent = {**case, **(DECIDED if case is ENGLISH else {}), "draft": True}
    reviewed = client.post("/v1/cases/review", json={k: v for k, v in sent.items() if k != "draft"}, headers=writer)
    assert reviewed.status_code == 200
    done = client.post("/v1/cases?wait=searchable", json=sent, headers=writer)
    assert done.status_code == 201, done.text
    for wrong in (
        {"number": "no number <a@b>"},
        {"lang": "fr"},
        {"issue": [sent["issue"]]},
        {"customer": sent["issue"]},
        {"added": [{"kind": "PERSON", "text": "nowhere"}]},
        {"space": "nowhere"},
        {"issue": sent["issue"] * 2000},
    ):
        refused = client.post("/v1/cases", json={**sent, **wrong}, headers=writer)
        assert refused.status_code in (404, 413, 422), refused.text
        assert not [one for one in ORIGINALS[case["number"]] if one in refused.text], refused.text
    services.indexer.flush()
    with services.db.read() as session:
        kept = everything(session)
    assert "[PERSON_1]" in kept
    files = [path.read_bytes() for path in Path(services.settings.data).rglob("*") if path.is_file()]
    assert files
    for original in ORIGINALS[case["number"]]:
        assert original not in kept
        assert original not in caplog.text
        for encoded in (original.encode(), original.encode("utf-16-le"), ascii(original)[1:-1].encode()):
            assert not any(encoded in one for one in files)


def test_the_item_of_a_case_is_internal_found_and_labelled(services: Services, client: TestClient) -> None:
    agent = bearer(services, "agent")
    done = client.post("/v1/cases?wait=searchable", json=CHINESE, headers=agent).json()
    assert (done["state"], done["searchable"], done["again"], done["article"]) == ("published", True, False, None)
    item = client.get(f"/v1/items/{done['item']}", headers=agent).json()
    assert {name: item[name] for name in ("kind", "audience", "source", "external_id", "lang")} == {
        "kind": "case", "audience": "internal", "source": "cases", "external_id": "CS-1002", "lang": "zh",
    }  # fmt: skip
    assert (item["products"], item["versions"], item["topics"]) == (["vellamo-app"], ["8.0"], ["channel:电话"])
    assert item["environment"] == "vellamo-app 8.0"
    hits = client.get("/v1/search", params={"q": "一再要求登录"}, headers=agent).json()["hits"]
    assert [hit["item"] for hit in hits] == [done["item"]]
    assert client.get(f"/v1/items/{done['item']}").status_code == 404


def test_the_same_case_again_is_a_revision(services: Services, client: TestClient) -> None:
    agent = bearer(services, "agent")
    first = client.post("/v1/cases", json=ENGLISH, headers=agent).json()
    with services.db.write() as session:  # an editor opens it to customers of a plan
        item = items_of(session, first["item"])
        before = editorial.profile_of(session, item)
        given = before.labels | {(Facet.GROUP, "plan:gold"), (Facet.TOPIC, "sign-in")}
        editorial.reprofile(session, item, replace(before, audience=Audience.CUSTOMER, labels=given), actor=SYSTEM)
    again = {**ENGLISH, "cause": "The session format changed.", "version": "8.1", "channel": ""}
    known = client.post("/v1/cases/review", json=again, headers=agent).json()
    assert known["item"] == first["item"]
    assert known["duplicates"] == []
    second = client.post("/v1/cases", json=again, headers=agent).json()
    assert (second["item"], second["revision"], second["again"]) == (first["item"], 2, True)
    read = client.get(f"/v1/items/{first['item']}", headers=agent).json()
    assert (read["cause"], read["audience"], read["versions"]) == ("The session format changed.", "internal", ["8.1"])
    assert (read["groups"], read["topics"]) == (["plan:gold"], ["sign-in"])
    third = client.post("/v1/cases", json=again, headers=agent).json()
    assert third["revision"] == 2
    assert counted(services) == 1


def items_of(session: Session, number: str) -> Item:
    return session.get_one(Item, items.item_id(number))


def test_a_retired_case_does_not_come_back(services: Services, client: TestClient) -> None:
    agent = bearer(services, "agent")
    first = client.post("/v1/cases", json=ENGLISH, headers=agent).json()
    with services.db.write() as session:
        editorial.retire(session, items_of(session, first["item"]), actor=SYSTEM)
    refused = client.post("/v1/cases", json=ENGLISH, headers=agent)
    assert refused.status_code == 409
    assert "retired" in refused.json()["detail"]


def test_near_duplicates_are_shown_and_none_that_may_not_be_read(services: Services, client: TestClient) -> None:
    issue, resolution = (ENGLISH[name].replace("Maren Holt", "A customer") for name in ("issue", "resolution"))
    with services.db.write() as session:
        for space in ("lake", "harbour"):
            item, revision = editorial.create(
                session,
                Content(title="A customer cannot sign in after the update", issue=issue, resolution=resolution),
                Profile(),
                actor=SYSTEM,
                space_id=spaces.by_key(session, space).id,
            )
            editorial.publish(session, item, revision, actor=SYSTEM)
    services.indexer.catch_up()
    for space, number in (("lake", "KB-1"), ("harbour", "KB-2")):
        answer = client.post("/v1/cases/review", json=ENGLISH, headers=bearer(services, "agent", space)).json()
        assert [one["item"] for one in answer["duplicates"]] == [number]


def test_agents_capture_in_their_space_and_write_nothing_else(services: Services, client: TestClient) -> None:
    agent, elsewhere = bearer(services, "agent", "lake"), bearer(services, "agent", "harbour")
    assert client.post("/v1/cases", json={**ENGLISH, "draft": True}, headers=agent).status_code == 403
    assert counted(services) == 0
    assert client.post("/v1/cases", json={**ENGLISH, "space": "harbour"}, headers=agent).status_code == 403
    done = client.post("/v1/cases", json=ENGLISH, headers=agent).json()
    with services.db.read() as session:
        assert items_of(session, done["item"]).space_id == spaces.by_key(session, "lake").id
    taken = client.post("/v1/cases", json=ENGLISH, headers=elsewhere)
    assert taken.status_code == 409
    assert done["item"] not in taken.text
    assert client.post("/v1/cases/review", json=ENGLISH, headers=elsewhere).json()["item"] is None
    body = {"title": "mine", "kind": "case", "based_on": 1}
    assert client.put(f"/v1/items/{done['item']}", json=body, headers=agent).status_code == 403
    assert client.post(f"/v1/items/{done['item']}/retire", headers=agent).status_code == 403
    assert client.post("/v1/cases/review", json=ENGLISH, headers=bearer(services, "customer")).status_code == 403
    assert client.post("/v1/cases/review", json=ENGLISH).status_code == 403


def test_an_article_is_drafted_once_and_linked(services: Services, client: TestClient) -> None:
    writer = bearer(services, "contributor")
    done = client.post("/v1/cases", json={**ENGLISH, "environment": "", "draft": True}, headers=writer).json()
    article = client.get(f"/v1/items/{done['article']}", headers=writer).json()
    case = client.get(f"/v1/items/{done['item']}", headers=writer).json()
    texts = ("title", "issue", "environment", "resolution", "cause", "products", "versions")
    assert {name: article[name] for name in texts} == {name: case[name] for name in texts}
    assert article["environment"] == "vellamo-app 8.0"
    assert (article["kind"], article["state"], article["audience"]) == ("article", "draft", "internal")
    assert (article["confidence"], article["topics"]) == (Confidence.WIP, [])
    with services.db.read() as session:
        (link,) = events.recent(session, EventKind.LINK)
    assert (f"KB-{link.item_id}", link.data) == (done["article"], {"link": "created", "case": done["item"]})
    assert link.text == case["issue"][:1000]
    again = client.post("/v1/cases", json={**ENGLISH, "draft": True}, headers=writer).json()
    assert again["article"] == done["article"]
    with services.db.read() as session:
        assert len(events.recent(session, EventKind.LINK)) == 1
    assert counted(services) == 2


def test_only_captured_cases_are_drafted_from(services: Services) -> None:
    with services.db.write() as session:
        item, _ = editorial.create(session, Content(title="t"), Profile(), actor=SYSTEM)
        with pytest.raises(Conflict, match="is not a captured case"):
            capture.draft_article(session, item, actor=SYSTEM, visitor=None)


@pytest.mark.parametrize("error", [Misconfigured("a model is not installed"), Unavailable("the search ended")])
def test_nothing_is_kept_where_the_search_for_personal_data_fails(
    services: Services, client: TestClient, monkeypatch: pytest.MonkeyPatch, error: KBError
) -> None:
    def fail(text: str, lang: str) -> NoReturn:
        raise error

    monkeypatch.setattr(services.redactor, "find", fail)
    agent = bearer(services, "agent")
    for path in ("/v1/cases", "/v1/cases/review"):
        refused = client.post(path, json=ENGLISH, headers=agent)
        assert (refused.status_code, refused.json()["code"]) == (error.status, error.code)
    assert counted(services) == 0
