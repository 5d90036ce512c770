"""Translations as one family: the source, how far the others are behind it, who is told what."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session, col, select

from api.app import create_app
from api.services import Services
from ingest.pipeline import ingest
from kb import editorial, items, keys, queues, review, spaces, translating, translations
from kb.access import SYSTEM, Principal, Role, scope_of
from kb.content import Content, Profile
from kb.db import Database
from kb.errors import Conflict, Forbidden, InvalidInput, NotFound
from kb.models import Audience, AuditRow, Item, Revision, Significance
from kb.queues import Queue

ANN = Principal(role=Role.CONTRIBUTOR, subject="ann@example.org")


def published(session: Session, title: str = "The light", lang: str = "en", family: str | None = None) -> Item:
    profile = Profile(lang=lang, audience=Audience.PUBLIC, family=family)
    item, revision = editorial.create(session, Content(title=title, body="red"), profile, actor=SYSTEM)
    editorial.publish(session, item, revision, actor=SYSTEM)
    return item


def change(session: Session, item: Item, body: str, significance: Significance | None = None) -> Revision:
    revision = editorial.revise(session, item, Content(title="The light", body=body), actor=SYSTEM)
    editorial.publish(session, item, revision, actor=SYSTEM, significance=significance)
    return revision


def said(session: Session, item: Item) -> Significance | None:
    """Return how significant the change was that readers see."""
    return session.get_one(Revision, item.live_revision_id).significance


def behind(session: Session, item: Item, *, newest: bool = False) -> Significance | None:
    return translations.behind(session, [int(item.id or 0)], newest=newest).get(int(item.id or 0))


def test_a_translation_is_as_far_behind_as_the_greatest_change_since_the_revision_it_follows(db: Database) -> None:
    with db.write() as session:
        source = published(session)
        chinese, first = translating.start(session, source, "zh", actor=SYSTEM)
        assert (chinese.family, source.family) == ("editor/KB-1", "editor/KB-1")
        assert (chinese.audience, first.body, first.title) == (Audience.PUBLIC, "", "The light")
        editorial.publish(session, chinese, first, actor=SYSTEM)
        assert behind(session, chinese) is None
        for body, said, expected in (
            ("red.", Significance.MINOR, Significance.MINOR),
            ("red or green", None, Significance.MEDIUM),
            ("green", Significance.MAJOR, Significance.MAJOR),
            ("green!", Significance.MINOR, Significance.MAJOR),
        ):
            change(session, source, body, said)
            assert behind(session, chinese) is expected
            assert behind(session, source) is None
        anew = editorial.revise(session, chinese, Content(title="灯", body="绿"), actor=SYSTEM, follows=4)
        assert behind(session, chinese, newest=True) is Significance.MINOR
        assert behind(session, chinese) is Significance.MAJOR, "readers see the one before"
        editorial.publish(session, chinese, anew, actor=SYSTEM)
        assert behind(session, chinese) is Significance.MINOR
        later = editorial.revise(session, chinese, Content(title="灯", body="绿！"), actor=SYSTEM)
        assert later.follows_id == anew.follows_id, "a revision follows what the one before it followed"
        editorial.follow(session, chinese, 5, actor=ANN)
        assert behind(session, chinese, newest=True) is None


def test_what_nobody_said_counts_as_medium_and_questions_alone_as_minor(db: Database) -> None:
    with db.write() as session:
        source = published(session)
        assert session.get_one(Revision, source.live_revision_id).significance is None, "the first is no change"
        assert change(session, source, "other").significance is Significance.MEDIUM
        content = Content(title="The light", body="other", similar_questions=("why",))
        revision = editorial.revise(session, source, content, actor=SYSTEM)
        editorial.publish(session, source, revision, actor=SYSTEM)
        editorial.publish(session, source, revision, actor=SYSTEM)
        assert said(session, source) is Significance.MINOR
        editorial.publish(session, source, revision, actor=SYSTEM, significance=Significance.MAJOR)
        assert said(session, source) is Significance.MAJOR, "said again, it is put right"
        staged = editorial.revise(session, source, Content(title="The light", body="last"), actor=SYSTEM)
        review.submit(session, source, actor=SYSTEM)
        review.approve(session, source, actor=SYSTEM, significance=Significance.MINOR)
        assert staged.significance is Significance.MINOR


def test_the_source_is_the_one_that_was_said_else_the_oldest(db: Database) -> None:
    with db.write() as session:
        german, english = published(session, lang="de", family="f"), published(session, family="f")
        assert translations.source_of(session, english) is german
        change(session, english, "green", Significance.MAJOR)
        assert (behind(session, german), behind(session, english)) == (None, None)
        with pytest.raises(Forbidden):
            translating.be_source(session, english, actor=ANN)
        translating.be_source(session, english, actor=SYSTEM)
        assert translations.source_of(session, german) is english
        assert translations.source_of(session, english) is None
        assert behind(session, german) is Significance.MAJOR
        translating.be_source(session, german, actor=SYSTEM)
        assert behind(session, german) is None
        editorial.retire(session, german, actor=SYSTEM)
        assert translations.source_of(session, english) is None, "nothing is translated from what is retired"
        alone = published(session)
        same = published(session, family="g"), published(session, family="g")
        assert [translations.source_of(session, one) for one in (alone, *same)] == [None, None, None]


def test_what_cannot_be_translated_or_followed_is_refused(db: Database) -> None:
    with db.write() as session:
        source = published(session)
        chinese, _ = translating.start(session, source, "zh", actor=ANN)
        for again in (source, chinese):
            with pytest.raises(Conflict, match=r"'ZH'|'zh'"):
                translating.start(session, again, "ZH" if again is source else "zh", actor=ANN)
        with pytest.raises(InvalidInput):
            translating.start(session, source, "not a language", actor=ANN)
        french, _ = translating.start(session, chinese, "fr", actor=ANN)
        assert translations.source_of(session, french) is source, "from a translation it is still of the source"
        with pytest.raises(Conflict):
            editorial.follow(session, source, 1, actor=SYSTEM)
        with pytest.raises(NotFound):
            editorial.follow(session, chinese, 9, actor=ANN)
        editorial.publish(session, chinese, editorial.newest_revision(session, chinese), actor=SYSTEM)
        change(session, source, "green")
        with pytest.raises(Forbidden):
            editorial.follow(session, chinese, 2, actor=ANN)
        editorial.follow(session, chinese, 2, actor=SYSTEM)
        editorial.retire(session, chinese, actor=SYSTEM)
        again, _ = translating.start(session, source, "zh", actor=ANN)
        assert again.id != chinese.id
        followed = select(AuditRow).where(AuditRow.action == "item.follow")
        assert [row.after["follows"] for row in session.exec(followed)] == [2]


def test_the_queue_has_what_misleads_most_first_and_no_slips(db: Database) -> None:
    with db.write() as session:
        made = []
        for significance in Significance:
            source = published(session)
            translation, revision = translating.start(session, source, "zh", actor=SYSTEM)
            editorial.publish(session, translation, revision, actor=SYSTEM)
            change(session, source, "green", significance)
            made.append(translation.number)
        published(session, lang="zh")
    with db.read() as session:
        rows = queues.listed(session, SYSTEM, Queue.TRANSLATIONS)
        assert [(row.item.number, row.behind) for row in rows] == [
            (made[2], Significance.MAJOR),
            (made[1], Significance.MEDIUM),
        ]
        assert queues.counts(session, SYSTEM)[Queue.TRANSLATIONS] == 2


def test_one_delivery_of_documents_brings_translations_level(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "pages.jsonl"

    def deliver(english: str, chinese: str) -> None:
        # The translation comes first: its revision is written before that of the source.
        rows = [
            {"id": "b", "title": "灯", "text": chinese, "lang": "zh", "family": "light"},
            {"id": "a", "title": "Light", "text": english, "lang": "en", "family": "light"},
        ]
        path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
        ingest(db, [path], actor=SYSTEM)

    deliver("red", "红")
    with db.write() as session:
        english = session.exec(select(Item).where(col(Item.lang) == "en")).one()
        translating.be_source(session, english, actor=SYSTEM)
    for english_text, chinese_text, expected in (
        ("green", "绿", None),
        ("blue", "绿", Significance.MEDIUM),
        ("blue", "蓝", None),
        ("white", "白", None),
    ):
        deliver(english_text, chinese_text)
        with db.read() as session:
            assert behind(session, session.exec(select(Item).where(col(Item.lang) == "zh")).one()) is expected


def test_translations_by_the_api_and_what_readers_are_told(services: Services) -> None:
    with TestClient(create_app(services)) as client:
        with services.db.write() as session:
            spaces.add(session, "lake", name="Lake")
            who = {
                role: {"Authorization": f"Bearer {keys.add(session, role, Role(role), actor=SYSTEM)}"}
                for role in ("contributor", "publisher", "editor")
            }
        writer, publisher, editor = who.values()
        text = {"title": "Light", "body": "red", "audience": "public"}
        client.post("/v1/items", json={**text, "publish": True}, headers=publisher)
        assert client.get("/v1/items/KB-1/translations").json()["items"][0]["source"] is True
        made = client.post("/v1/items/KB-1/translations", json={"lang": "zh"}, headers=writer)
        assert (made.status_code, made.json()["item"], made.json()["state"]) == (201, "KB-2", "draft")
        assert client.post("/v1/items/KB-1/translations", json={"lang": "zh"}, headers=writer).status_code == 409
        chinese = {**client.get("/v1/items/KB-2", headers=writer).json(), "title": "灯", "body": "红"}
        sent = {name: chinese[name] for name in ("title", "body", "lang", "family", "audience")} | {"based_on": 1}
        assert client.put("/v1/items/KB-2", json={**sent, "publish": True}, headers=publisher).status_code == 200
        change = {**text, "body": "green", "family": chinese["family"], "based_on": 1, "publish": True}
        client.put("/v1/items/KB-1", json={**change, "significance": "major"}, headers=publisher)
        told = client.get("/v1/items/KB-2/translations").json()
        assert [(one["item"], one["behind"], one["follows"]) for one in told["items"]] == [
            ("KB-1", None, None),
            ("KB-2", "major", None),
        ]
        assert client.get("/v1/items/KB-2/translations", headers=writer).json()["items"][1]["follows"] == 1
        refused = client.put("/v1/items/KB-2/translations", json={"follows": 2}, headers=writer)
        assert refused.status_code == 403
        level = client.put("/v1/items/KB-2/translations", json={"follows": 2}, headers=publisher).json()
        assert (level["items"][1]["behind"], level["items"][1]["follows"]) == (None, 2)
        client.post("/v1/items/KB-1/publish?significance=minor", headers=publisher)
        turned = client.put("/v1/items/KB-2/translations", json={"source": True}, headers=editor).json()
        assert [(one["item"], one["source"]) for one in turned["items"]] == [("KB-2", True), ("KB-1", False)]
        assert client.put("/v1/items/KB-2/translations", json={"source": True}, headers=publisher).status_code == 403


def test_nothing_is_told_of_a_source_that_the_reader_may_not_read(services: Services) -> None:
    with services.db.write() as session:
        profile = Profile(audience=Audience.INTERNAL, family="f")
        source, revision = editorial.create(session, Content(title="Light", body="red"), profile, actor=SYSTEM)
        editorial.publish(session, source, revision, actor=SYSTEM)
        translation = published(session, lang="zh", family="f")
        change(session, source, "green", Significance.MAJOR)
        assert behind(session, translation) is Significance.MAJOR
        scope = scope_of(session, Principal())
        seen = translations.family(session, items.get(session, translation.number, scope), scope)
        assert [(one.item.number, one.behind, one.follows) for one in seen] == [(translation.number, None, None)]


def test_a_reader_is_told_that_a_translation_is_out_of_date_and_led_to_the_source(services: Services) -> None:
    with TestClient(create_app(services)) as client:
        with services.db.write() as session:
            source, translation = published(session, family="f"), published(session, lang="zh", family="f")
            change(session, source, "red!", Significance.MINOR)
        path = f"/a/{translation.number}"
        assert "out of date" not in client.get(path, params={"hl": "en"}).text
        with services.db.write() as session:
            change(session, session.get_one(Item, source.id), "green", Significance.MAJOR)
        page = client.get(path, params={"hl": "en"}).text
        assert "This translation is out of date" in page
        assert f'Read the source: <a href="/a/{source.number}' in page
        assert "本译文已过时" in client.get(path, params={"hl": "zh"}).text
        assert "out of date" not in client.get(f"/a/{source.number}", params={"hl": "en"}).text
        with services.db.write() as session:
            hidden = session.get_one(Item, source.id)
            profile = editorial.profile_of(session, hidden)
            editorial.reprofile(session, hidden, replace(profile, audience=Audience.INTERNAL), actor=SYSTEM)
        assert "out of date" not in client.get(path, params={"hl": "en"}).text
