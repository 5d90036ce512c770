"""Cases of an export imported without the personal data in them: nothing of the original is stored."""

import json
from pathlib import Path
from typing import NoReturn

import pytest
from sqlmodel import select

from api.services import Services
from ingest.pipeline import ingest
from kb.access import SYSTEM
from kb.errors import Misconfigured
from kb.models import Item, Revision
from tests.integration.test_capture import everything

CASES = [
    {
        "id": "C-1",
        "title": "Maren Holt cannot sign in",
        "issue": "My name is Maren Holt, mail maren.holt@example.org.",
        "resolution": "Called Maren Holt on +44 20 7946 0958.",
        "versions": ["10.0.19045.1"],
        "topics": ["asked by maren.holt@example.org"],
        "owner": "Maren Holt",
    },
    {
        "id": "C-2",
        "title": "彭佳慧无法登录",
        "issue": "我叫彭佳慧，手机 13812345678。",
        "resolution": "已致电彭佳慧（13812345678）。",
    },
    {"id": "C-3", "lang": "de", "title": "Anmeldung", "issue": "Ich heiße Jana Vogt.", "resolution": "Zurückgerufen."},
]


@pytest.fixture
def export(tmp_path: Path) -> Path:
    file = tmp_path / "cases.jsonl"
    file.write_text("\n".join(json.dumps(case, ensure_ascii=False) for case in CASES), encoding="utf-8")
    return file


def test_cases_are_redacted_before_they_are_stored(services: Services, export: Path) -> None:
    report = ingest(services.db, [export], actor=SYSTEM, redact=services.redactor.find)
    assert (report.added, [failure.path for failure in report.failed]) == (2, ["C-3"])
    with services.db.read() as session:
        revisions = {row.item_id: row for row in session.exec(select(Revision))}
        numbers = {item.external_id: int(item.id or 0) for item in session.exec(select(Item))}
        kept = everything(session)
    english, chinese = revisions[numbers["C-1"]], revisions[numbers["C-2"]]
    assert english.title == "[PERSON_1] cannot sign in"
    assert english.resolution == "Called [PERSON_1] on [PHONE_1]."
    assert chinese.title == "[PERSON_1]无法登录"
    assert chinese.resolution == "已致电[PERSON_1]（[PHONE_1]）。"
    assert "10.0.19045.1" in kept
    assert "asked by [EMAIL_1]" in kept
    for original in ("Maren", "maren.holt", "7946", "彭佳慧", "13812345678", "Vogt"):
        assert original not in kept
    again = ingest(services.db, [export], actor=SYSTEM, redact=services.redactor.find)
    assert (again.unchanged, again.updated, again.added) == (2, 0, 0)


def test_without_a_model_nothing_is_stored(services: Services, export: Path) -> None:
    def fail(text: str, lang: str) -> NoReturn:
        raise Misconfigured("a model is not installed")

    with pytest.raises(Misconfigured):
        ingest(services.db, [export], actor=SYSTEM, redact=fail)
    with services.db.read() as session:
        assert session.exec(select(Item)).all() == []
