"""The weight of a field moves the items that have it, and nothing else."""

from pathlib import Path

import numpy as np

from eval.fields import found_for, parts_of, weighed
from eval.throwaway import knowledge_base
from ingest.judged import JudgedQuery, JudgedSet
from ingest.pipeline import Report
from kb import editorial
from kb.access import SYSTEM
from kb.content import Content, Profile
from kb.db import Database
from retrieval.titled import TitledEmbedder
from tests.fakes import FakeEmbedder

QUESTION = "the parcel never came"
ITEMS = {
    "a": Content(title="Deliveries", issue=QUESTION, resolution="Ask the depot about it and wait for two days."),
    "b": Content(title="The parcel never came back", body="Returns: the parcel never came back to us, a parcel lost."),
}


def load(db: Database) -> Report:
    with db.write() as session:
        for name, content in ITEMS.items():
            item, revision = editorial.create(session, content, Profile(), actor=SYSTEM, external_id=name)
            editorial.publish(session, item, revision, actor=SYSTEM)
    return Report(added=len(ITEMS))


def test_an_issue_that_weighs_brings_its_item_to_the_front() -> None:
    query = JudgedQuery(id="q", text=QUESTION, answerable=True, target_lang=None)
    judged = JudgedSet("two", Path("corpus.jsonl"), (query,), {"q": {"a": 1}})
    plain = FakeEmbedder()
    with knowledge_base("two", load, TitledEmbedder(plain), tell=lambda _: None) as kb:
        parts = parts_of(kb, plain)
        asked = found_for(kb, [query], plain, len(parts.passages))
        having = np.any(parts.fields["issue"], axis=1)
        assert sorted(parts.items) == sorted(ITEMS)
        assert having.tolist() == [name == "a" for name in parts.items]
        assert weighed(judged, asked, parts, {"issue": 0.0})[0] < 1
        assert weighed(judged, asked, parts, {"issue": 5.0})[0] == 1
        same = weighed(judged, asked, parts, {"similar questions": 5.0})
        assert same == weighed(judged, asked, parts, {"issue": 0.0})
