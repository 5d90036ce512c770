"""API keys open what they should and nothing else; events are written in batches, in order, and never lost on close."""

from datetime import timedelta

import pytest
from sqlmodel import select

from kb import events, keys
from kb.access import SYSTEM, Role
from kb.db import Database
from kb.errors import Conflict, InvalidInput, NotFound, Unauthenticated
from kb.events import EventLog, Happened, pseudonym
from kb.models import ApiKey, Event, EventKind, now


def test_a_key_opens_its_role_until_it_is_revoked(db: Database) -> None:
    with db.write() as session:
        secret = keys.add(session, "panel", "agent", groups=["gold"], actor=SYSTEM)
    with db.read() as session:
        who = keys.principal(session, secret)
        assert (who.role, who.subject, who.groups) == (Role.AGENT, "key:panel", frozenset({"gold"}))
        assert secret not in str([key.model_dump() for key in session.exec(select(ApiKey))])
    with db.write() as session:
        keys.revoke(session, "panel", actor=SYSTEM)
    with db.read() as session, pytest.raises(Unauthenticated):
        keys.principal(session, secret)


def test_an_expired_or_unknown_key_opens_nothing(db: Database) -> None:
    with db.write() as session:
        old = keys.add(session, "old", "admin", expires_at=now() - timedelta(seconds=1), actor=SYSTEM)
        new = keys.add(session, "new", "admin", expires_at=now() + timedelta(hours=1), actor=SYSTEM)
    with db.read() as session:
        assert keys.principal(session, new).role is Role.ADMIN
        for secret in (old, "", "aw_", new[:-1], "\ud800"):
            with pytest.raises(Unauthenticated):
                keys.principal(session, secret)


def test_bad_keys_are_refused(db: Database) -> None:
    with db.write() as session:
        keys.add(session, "a", "agent", actor=SYSTEM)
        for name, role, error in [
            ("", "agent", InvalidInput),
            ("x" * 101, "agent", InvalidInput),
            ("b", "anonymous", InvalidInput),
            ("b", "king", InvalidInput),
            ("a", "agent", Conflict),
        ]:
            with pytest.raises(error):
                keys.add(session, name, role, actor=SYSTEM)
        with pytest.raises(NotFound):
            keys.revoke(session, "b", actor=SYSTEM)
        with pytest.raises(InvalidInput):
            keys.add(session, "c", "agent", space_id=99, actor=SYSTEM)


def test_events_are_all_written_when_the_log_closes(db: Database) -> None:
    log = EventLog(db)
    for number in range(1200):
        log.add(Happened(kind=EventKind.SEARCH, role="anonymous", text=f"q{number}\0\ud800", data={"n": number}))
    log.close()
    with db.read() as session:
        rows = session.exec(select(Event).order_by(Event.id)).all()  # type: ignore[arg-type]
    assert [row.data["n"] for row in rows] == list(range(1200))
    assert rows[7].text == "q7\ufffd\ufffd"
    assert log.lost == 0


def test_flush_waits_and_recent_is_newest_first(db: Database) -> None:
    log = EventLog(db)
    log.add(Happened(kind=EventKind.SEARCH, role="customer", text="x" * 5000))
    log.add(Happened(kind=EventKind.VOTE, role="customer", item_id=3, parent="p"))
    log.flush()
    with db.read() as session:
        (search,) = events.recent(session, EventKind.SEARCH)
        (vote,) = events.recent(session, EventKind.VOTE)
    log.close()
    assert len(search.text) == events.MAX_TEXT
    assert (vote.item_id, vote.parent) == (3, "p")


def test_a_pseudonym_is_stable_keyed_and_says_nothing() -> None:
    assert pseudonym("ab" * 32, "me") == pseudonym("ab" * 32, "me")
    assert pseudonym("ab" * 32, "me") != pseudonym("cd" * 32, "me")
    assert len(pseudonym("ab" * 32, "me\ud800")) == 32
