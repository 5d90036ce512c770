"""Another embedder, size of passages or analyzer: built beside, gated, switched, followed, gone back from, cleared."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, func, select

from api.services import Services, open_services
from ingest.gate import ENOUGH, Judged, compare, questions
from ingest.generations import Opened
from ingest.judged import JudgedQuery
from ingest.verify import verify
from kb import editorial, generations
from kb.access import SYSTEM, Principal
from kb.content import Content, Profile
from kb.db import Database
from kb.errors import Conflict, Misconfigured, NotFound
from kb.events import Happened
from kb.generations import GRACE, Recipe
from kb.models import Audience, EventKind, Generation, GenerationState, Item, Passage, StoredVector, now
from kb.settings import Settings
from retrieval import text as texts
from retrieval.search import Mode, Searcher
from tests.fakes import fake
from tests.integration.test_indexer import found, publish

OTHER = Recipe("other", "fake-other", 400, texts.ANALYZER_VERSION)


def eventually(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something holds; fail when it does not in time."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it did not come to hold"
        time.sleep(0.01)


def states(db: Database) -> dict[int, str]:
    with db.read() as session:
        return {int(row.number or 0): row.state.value for row in generations.every(session)}


def switch(services: Services, number: int) -> None:
    with services.db.write() as session:
        generations.activate(session, number)


def built(services: Services, recipe: Recipe = OTHER) -> Opened:
    opened = services.generations.begin(recipe)
    opened.indexer.catch_up()
    opened.indexer.flush()
    return opened


def filled(services: Services, count: int = 12) -> list[int]:
    numbers = [publish(services, f"Article {n}", f"How to mend thing number {n}.") for n in range(count)]
    services.indexer.catch_up()
    return numbers


def test_built_beside_and_switched_while_the_present_one_goes_on(services: Services) -> None:
    numbers = filled(services)
    opened = built(services)
    assert (opened.number, states(services.db)) == (2, {1: "active", 2: "building"})
    assert {item for _, item in opened.index.live()} == set(numbers)
    assert found(services, "Article 3")[0] == numbers[3]
    assert verify(services.db, services.index, "fake-embedder").faults == []
    assert verify(services.db, opened.index, "fake-other").faults == []
    opened.close()
    services.follower.start()
    late = publish(services, "Published in between")
    switch(services, 2)
    eventually(lambda: services.generation.number == 2)
    assert services.follower.wait_for(services.generation.index.watermark, 5)
    assert found(services, "Article 3")[0] == numbers[3]
    eventually(lambda: late in found(services, "Published in between"))
    assert states(services.db) == {1: "kept", 2: "active"}
    assert services.searcher.search("Article 3", reader=Principal()).generation == 2


def test_a_search_never_stops_and_never_mixes(services: Services) -> None:
    numbers = filled(services, 30)
    built(services).close()
    services.follower.start()
    seen: set[int] = set()
    faults: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            result = services.searcher.search("Article 7", reader=Principal(), limit=20)
            passages = [hit.found.passage_id for hit in result.hits]
            with services.db.read() as session:
                made = set(session.exec(select(Passage.generation).where(col(Passage.id).in_(passages))))
            if made != {result.generation} or len(passages) != 20 or result.hits[0].found.item_id != numbers[7]:
                faults.append(f"{made} {result.generation} {len(passages)}")
            seen.add(result.generation)

    readers = [threading.Thread(target=ask) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in (2, 1, 2):
        switch(services, number)
        eventually(lambda wanted=number: services.generation.number == wanted)  # type: ignore[misc]
    stop.set()
    for reader in readers:
        reader.join()
    assert faults == []
    assert seen == {1, 2}


def test_a_build_that_was_cut_off_goes_on_where_it_was(services: Services) -> None:
    filled(services, 20)
    first = services.generations.begin(OTHER)
    first.indexer.step(15)
    first.indexer.flush()
    first.close()
    again = services.generations.begin(OTHER)
    assert (again.number, again.index.watermark) == (first.number, 15)
    assert again.indexer.catch_up().changes == 25
    assert verify(services.db, again.index, "fake-other").faults == []
    again.close()


def test_what_is_made_already_is_not_built_but_again_if_asked(services: Services) -> None:
    filled(services, 3)
    present = services.generation.recipe
    with pytest.raises(Conflict, match="nothing to build"):
        services.generations.begin(present)
    again = services.generations.begin(present, again=True)
    step = again.indexer.catch_up()
    assert (again.number, step.embedded) == (2, 0), "the vectors are found again"
    assert verify(services.db, again.index, "fake-embedder").faults == []
    again.close()


def test_another_size_of_passages_is_another_generation_of_the_same_model(services: Services) -> None:
    services.indexer.catch_up()
    with services.db.write() as session:
        body = "\n\n".join(f"Paragraph {n} says how to reset the router when light {n} is red." for n in range(40))
        item, revision = editorial.create(
            session, Content(title="Long", body=body), Profile(audience=Audience.PUBLIC), actor=SYSTEM
        )
        editorial.publish(session, item, revision, actor=SYSTEM)
    services.indexer.catch_up()
    smaller = built(services, Recipe("e5-small", "fake-embedder", 64, texts.ANALYZER_VERSION))
    assert len(list(smaller.index.live())) > len(list(services.index.live()))
    assert smaller.embedder is services.embedder, "one model is loaded once"
    smaller.close()


def test_another_analyzer_analyzes_passages_and_questions(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(texts.ANALYZERS, "letters", lambda text: [c for c in text.casefold() if c.isalpha()])
    number = publish(services, "Router")
    services.indexer.catch_up()
    opened = built(services, Recipe("e5-small", "fake-embedder", 400, "letters"))
    searcher = Searcher(services.db, opened.index, opened.embedder)
    result = searcher.search("xxxo", reader=Principal(), mode=Mode.LEXICAL)
    assert [hit.found.item_id for hit in result.hits] == [number]
    assert services.searcher.search("xxxo", reader=Principal(), mode=Mode.LEXICAL).hits == []
    assert verify(services.db, opened.index, "fake-embedder").faults == []
    opened.close()
    with pytest.raises(Misconfigured, match=r"no analyzer 'unheard'.*kb generation build"):
        services.generations.wanted("unheard")


def test_what_was_switched_back_is_level_again(services: Services) -> None:
    numbers = filled(services)
    built(services).close()
    services.follower.start()
    switch(services, 2)
    eventually(lambda: services.generation.number == 2)
    late = publish(services, "Written since")
    with services.db.write() as session:
        editorial.retire(session, session.get_one(Item, numbers[0]), actor=SYSTEM)
        seq = editorial.delete(session, session.get_one(Item, numbers[1]), actor=SYSTEM)
    assert services.follower.wait_for(seq, 10)
    switch(services, 1)
    eventually(lambda: services.generation.number == 1)
    assert found(services, "Written since")[0] == late
    everything = {hit.found.item_id for hit in services.searcher.search("Article", reader=SYSTEM, limit=50).hits}
    assert everything == {late, *numbers[2:]}
    assert verify(services.db, services.index, "fake-embedder").faults == []


def test_a_switch_back_before_the_server_followed_is_no_switch(services: Services) -> None:
    filled(services, 3)
    built(services).close()
    switch(services, 2)
    switch(services, 1)
    services.follower.start()
    late = publish(services, "Still here")
    eventually(lambda: late in found(services, "Still here"))
    assert services.generation.number == 1


def test_a_generation_that_cannot_be_opened_leaves_the_present_one_searched(services: Services) -> None:
    numbers = filled(services, 3)
    with services.db.write() as session:
        row = generations.begin(session, Recipe("missing-model", "x", 400, texts.ANALYZER_VERSION))
        generations.activate(session, int(row.number or 0))
    services.follower.start()
    eventually(lambda: services.follower.switch_error is not None)
    assert "missing-model" in str(services.follower.switch_error)
    assert found(services, "Article 1")[0] == numbers[1]
    late = publish(services, "Goes on")
    eventually(lambda: late in found(services, "Goes on"))
    assert services.follower.error is None


def test_one_generation_is_kept_and_what_ended_is_cleared_later(services: Services, tmp_path: Path) -> None:
    filled(services, 5)
    services.indexer.flush()
    for name in ("other", "third"):
        opened = built(services, Recipe(name, f"fake-{name}", 400, texts.ANALYZER_VERSION))
        switch(services, opened.number)
        opened.close()
    assert states(services.db) == {1: "removing", 2: "kept", 3: "active"}
    services.generations.clear()
    assert count(services.db, 1) == 5, "a server may still search it"
    with services.db.write() as session:
        row = session.get_one(Generation, 1)
        row.changed_at = now() - GRACE - timedelta(seconds=1)
        session.add(row)
    services.generations.clear()
    assert states(services.db) == {1: "removed", 2: "kept", 3: "active"}
    assert [count(services.db, number) for number in (1, 2, 3)] == [0, 5, 5]
    with services.db.read() as session:
        assert set(session.exec(select(StoredVector.fingerprint))) == {"fake-other", "fake-third"}
    assert sorted(path.name for path in services.settings.index_folder.iterdir()) == ["2", "3"]
    with services.db.write() as session:
        assert generations.begin(session, Recipe("fourth", "f", 400, "1")).number == 4


def count(db: Database, number: int) -> int:
    with db.read() as session:
        statement = select(func.count()).select_from(Passage).where(col(Passage.generation) == number)
        return session.exec(statement).one()


def test_rules_of_the_rows(db: Database) -> None:
    with db.write() as session:
        one = generations.first(session, Recipe("a", "fa", 400, "1"))
        assert generations.first(session, Recipe("b", "fb", 400, "1")).number == one.number, "there is one already"
    with db.write() as session, pytest.raises(Conflict):
        generations.remove(session, 1)
    with db.write() as session, pytest.raises(NotFound):
        generations.previous(session)
    with db.write() as session:
        assert generations.begin(session, Recipe("b", "fb", 400, "1")).number == 2
        generations.remove(session, 2)
    for act in (generations.get, generations.activate, generations.remove):
        with db.write() as session, pytest.raises(NotFound, match="generation 2"):
            act(session, 2)
    with db.write() as session:
        assert generations.begin(session, Recipe("b", "fb", 400, "1")).number == 3, "what was let go is not resumed"
        assert generations.begin(session, Recipe("a", "fa", 400, "1"), again=True).number == 4
        generations.activate(session, 3)
    assert states(db) == {1: "kept", 2: "removing", 3: "active", 4: "building"}
    with db.write() as session:
        generations.activate(session, 4, keep=False)
    assert states(db) == {1: "kept", 2: "removing", 3: "removing", 4: "active"}
    with db.write() as session:
        session.get_one(Generation, 1).state = GenerationState.ACTIVE
        with pytest.raises(IntegrityError):
            session.flush()
        session.rollback()


def test_two_processes_begin_one_knowledge_base_at_once(db: Database) -> None:
    numbers: list[int] = []

    def begin() -> None:
        with db.write() as session:
            numbers.append(int(generations.first(session, Recipe("a", "fa", 400, "1")).number or 0))

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers == [1, 1, 1, 1]


def test_two_processes_prepare_the_same_items(services: Services) -> None:
    """Both cut and embed; what is stored is stored once."""
    url = services.db.url.render_as_string(hide_password=False)
    elsewhere = services.settings.data / "elsewhere"  # another machine: no lock of files in common
    with open_services(Settings(data=elsewhere, database_url=url), load=fake) as other:
        for n in range(30):
            publish(services, f"Article {n}")
        threads = [threading.Thread(target=one.indexer.catch_up) for one in (services, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert verify(services.db, services.index, "fake-embedder").faults == []
        assert list(services.index.live()) == list(other.index.live())


@pytest.fixture
def judged(services: Services) -> list[Judged]:
    numbers = filled(services, ENOUGH)
    with services.db.read() as session:
        names = dict(session.exec(select(Item.id, Item.external_id).where(col(Item.id).in_(numbers))).all())
    return [
        Judged(JudgedQuery(f"q{n}", f"mend thing number {n}", True, None), {names[number]: 1})
        for n, number in enumerate(numbers)
    ]


def test_the_gate_lets_pass_what_is_no_worse_and_names_what_is(services: Services, judged: list[Judged]) -> None:
    same = compare(services.searcher, services.searcher, judged)
    assert same.before == same.after
    assert (same.refusal, same.worse, same.better) == (None, (), ())
    opened = services.generations.begin(OTHER)  # nothing is in it yet
    empty = Searcher(services.db, opened.index, opened.embedder)
    verdict = compare(services.searcher, empty, judged)
    assert verdict.after == 0.0
    assert len(verdict.worse) == ENOUGH
    assert "would fall" in str(verdict.refusal)
    assert compare(empty, services.searcher, judged).refusal is None
    assert "nothing to compare with" in str(compare(None, services.searcher, judged).refusal)
    assert "too few" in str(compare(services.searcher, services.searcher, judged[: ENOUGH - 1]).refusal)
    opened.close()


def test_readers_votes_are_judged_questions(services: Services, tmp_path: Path) -> None:
    number = filled(services, 2)[0]
    asked = Happened(kind=EventKind.SEARCH, role="anonymous", text="how do I mend it")
    unheard = Happened(kind=EventKind.SEARCH, role="anonymous", text="never voted on")
    services.events.add(asked)
    services.events.add(unheard)
    for helpful in (False, True):
        data = {"helpful": helpful}
        item = number if helpful else number + 1
        services.events.add(Happened(kind=EventKind.VOTE, role="anonymous", parent=asked.uid, item_id=item, data=data))
    services.events.close()
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "queries.jsonl").write_text('{"_id": "a", "text": "what"}\n{"_id": "b", "text": "unjudged"}\n')
    (folder / "qrels.tsv").write_text("query\tdocument\tgrade\na\tx\t2\n")
    with services.db.read() as session:
        names = {n: session.get_one(Item, n).external_id for n in (number, number + 1)}
    got = [(one.query.text, one.relevant) for one in questions(services.db, [folder])]
    assert got == [("what", {"x": 2}), ("how do I mend it", {names[number]: 1, names[number + 1]: 0})]
