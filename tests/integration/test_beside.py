"""Passages beside the one that was found: of the same revision and generation only, and of what may be read only."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import col, select

from api.services import Services, open_services
from kb import editorial, generations, items
from kb.access import SYSTEM, Principal, Role, scope_of
from kb.content import Content
from kb.db import Database
from kb.generations import Recipe
from kb.models import Audience, Item, Passage
from kb.settings import Settings
from retrieval import text as texts
from retrieval.answer import answer, answer_from, supplied
from retrieval.neighbours import context
from tests.fakes import fake
from tests.integration.test_indexer import publish

CUSTOMER, AGENT = Principal(), Principal(role=Role.AGENT, subject="agent")
TITLE = "Reset the zebra box"
STEPS = "\n".join(f"{n}. Press key number {n} of the zebra box and wait until light {n} is green." for n in range(1, 6))


@pytest.fixture
def small(db: Database, tmp_path: Path) -> Iterator[Services]:
    """All parts with passages of at most 64 tokens, so that a short article is cut."""
    url = db.url.render_as_string(hide_password=False)
    with open_services(Settings(data=tmp_path, database_url=url, passage_tokens=64), load=fake) as opened:
        yield opened


def cut(services: Services, item: int, generation: int = 1) -> list[int]:
    """Return the ids of an item's passages in a generation, in order."""
    statement = select(Passage.id).where(col(Passage.item_id) == item, col(Passage.generation) == generation)
    with services.db.read() as session:
        return [int(one or 0) for one in session.exec(statement.order_by(col(Passage.ordinal)))]


def beside(services: Services, reader: Principal, *passages: int, generation: int = 1) -> dict[int, list[int]]:
    with services.db.read() as session:
        found = items.beside(session, scope_of(session, reader), passages, generation)
        return {passage: [one.passage_id for one in some] for passage, some in found.items()}


def test_the_passages_before_and_after_in_one_go(small: Services) -> None:
    item, other = publish(small, TITLE, f"{STEPS}\n\n{STEPS}"), publish(small, "Something else")
    small.indexer.catch_up()
    ids = cut(small, item)
    assert len(ids) > 3
    found = beside(small, CUSTOMER, *ids, *cut(small, other))
    assert found == {
        one: [ids[near] for near in (at - 1, at + 1) if 0 <= near < len(ids)] for at, one in enumerate(ids)
    }


def test_steps_over_an_edge_are_answered_whole_and_cited_from_both(small: Services) -> None:
    item = publish(small, TITLE, STEPS)
    small.indexer.catch_up()
    assert len(cut(small, item)) == 2
    said = answer(small.searcher, TITLE, reader=CUSTOMER)
    assert [citation.found.passage_id for citation in said.citations] == cut(small, item)
    assert "\n".join(citation.quote for citation in said.citations) == STEPS
    assert all(citation.quote in citation.found.text for citation in said.citations)
    assert "[1]" in said.text
    assert "[2]" in said.text


def test_nothing_beside_comes_from_what_may_not_be_read(small: Services) -> None:
    item = publish(small, TITLE, STEPS, Audience.INTERNAL)
    small.indexer.catch_up()
    ids = cut(small, item)
    assert beside(small, AGENT, *ids) == {ids[0]: [ids[1]], ids[1]: [ids[0]]}
    assert not any(beside(small, CUSTOMER, *ids).values())
    results = small.searcher.search(TITLE, reader=AGENT)
    with small.db.read() as session:
        hidden = items.beside(session, scope_of(session, CUSTOMER), ids, 1)
    assert context(results.hits[0].found, hidden.get(results.hits[0].found.passage_id, [])).passages == (
        results.hits[0].found,
    )


def test_nothing_beside_is_shown_once_the_item_is_retired(small: Services) -> None:
    item = publish(small, TITLE, STEPS)
    small.indexer.catch_up()
    results = small.searcher.search(TITLE, reader=CUSTOMER)
    assert len(answer_from(small.searcher, results, reader=CUSTOMER).citations) == 2
    with small.db.write() as session:
        editorial.retire(session, session.get_one(Item, item), actor=SYSTEM)
    assert not any(beside(small, CUSTOMER, *cut(small, item)).values())
    assert len(answer_from(small.searcher, results, reader=CUSTOMER).citations) == 1, "only what the search has read"


def test_nothing_beside_is_of_another_revision(small: Services) -> None:
    number = publish(small, TITLE, STEPS)
    small.indexer.catch_up()
    old = cut(small, number)
    with small.db.write() as session:
        item = session.get_one(Item, number)
        content = Content(title=TITLE, body=STEPS.replace("green", "blue"))
        revision = editorial.revise(session, item, content, actor=SYSTEM)
        editorial.publish(session, item, revision, actor=SYSTEM)
    assert not any(beside(small, CUSTOMER, *old).values()), "the index lags behind"
    small.indexer.catch_up()
    assert not any(beside(small, CUSTOMER, *old).values())
    said = answer(small.searcher, TITLE, reader=CUSTOMER)
    assert len(said.citations) == 2
    assert "green" not in said.text


def test_nothing_beside_is_of_another_generation(small: Services) -> None:
    number = publish(small, TITLE, f"{STEPS}\n\nThat is all.\n\n{STEPS}")
    small.indexer.catch_up()
    opened = small.generations.begin(Recipe("other", "fake-other", 96, texts.ANALYZER_VERSION))
    opened.indexer.catch_up()
    opened.indexer.flush()
    one, two = cut(small, number, 1), cut(small, number, 2)
    assert not set(one) & set(two)
    assert len(two) > 1
    for generation, own in ((1, one), (2, two)):
        found = beside(small, CUSTOMER, *one, *two, generation=generation)
        assert set(found) == set(own)
        assert {near for some in found.values() for near in some} == set(own)
    before = small.searcher.search(TITLE, reader=CUSTOMER)
    with small.db.write() as session:
        generations.activate(session, 2)
    said = answer_from(small.searcher, before, reader=CUSTOMER)
    assert {citation.found.passage_id for citation in said.citations} <= set(one), "as long as it is searched"
    opened.close()


def test_a_model_is_given_the_neighbours_within_the_passages_it_may_have(small: Services) -> None:
    item = publish(small, TITLE, STEPS)
    others = [publish(small, f"{TITLE} of kind {n}", STEPS) for n in range(6)]
    hidden = publish(small, f"{TITLE} inside", STEPS, Audience.INTERNAL)
    small.indexer.catch_up()
    results = small.searcher.search(TITLE, reader=CUSTOMER)
    sources = supplied(small.searcher, results, CUSTOMER)
    assert [one.passage_id for one in sources[0].passages] == cut(small, item)
    given = [one for source in sources for one in source.passages]
    assert len(given) == 6
    assert len({one.passage_id for one in given}) == 6
    assert {one.item_id for one in given} <= {item, *others}
    assert hidden not in {one.item_id for one in given}
