"""From the change log to what searches see: level, idempotent, rebuilt without embedding anything again."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from sqlalchemy import text
from sqlmodel import col, select

from api.services import Services, open_services
from ingest.verify import verify
from kb import editorial
from kb.access import SYSTEM, Principal
from kb.content import Content, Profile
from kb.errors import Misconfigured
from kb.models import Audience, Item, Passage
from kb.settings import Settings
from tests.fakes import FakeEmbedder, fake


class CountingEmbedder(FakeEmbedder):
    """Counts the texts that it embeds."""

    embedded = 0

    def embed_passages(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        self.embedded += len(texts)
        return super().embed_passages(texts)


def publish(services: Services, title: str, body: str = "Some text.", audience: Audience = Audience.PUBLIC) -> int:
    with services.db.write() as session:
        item, revision = editorial.create(
            session, Content(title=title, body=body), Profile(audience=audience), actor=SYSTEM
        )
        editorial.publish(session, item, revision, actor=SYSTEM)
        return int(item.id or 0)


def found(services: Services, question: str, reader: Principal | None = None) -> list[int]:
    return [hit.found.item_id for hit in services.searcher.search(question, reader=reader or Principal()).hits]


def test_published_revised_retired_are_seen_after_a_step(services: Services) -> None:
    number = publish(services, "Router reset")
    assert found(services, "Router reset") == []
    assert services.indexer.behind() == 2
    services.indexer.catch_up()
    assert found(services, "Router reset") == [number]
    with services.db.write() as session:
        item = session.get_one(Item, number)
        revision = editorial.revise(session, item, Content(title="Invoice", body="Pay it."), actor=SYSTEM)
        editorial.publish(session, item, revision, actor=SYSTEM)
    assert found(services, "Router reset") == [], "the old text is not readable any more, whatever the index still has"
    services.indexer.catch_up()
    assert found(services, "Invoice") == [number]
    with services.db.write() as session:
        editorial.retire(session, session.get_one(Item, number), actor=SYSTEM)
    assert found(services, "Invoice") == []
    services.indexer.catch_up()
    assert list(services.index.live()) == []
    assert verify(services.db, services.index, services.embedder.fingerprint).faults == []


def test_a_draft_is_not_indexed(services: Services) -> None:
    with services.db.write() as session:
        editorial.create(session, Content(title="Secret plan"), Profile(audience=Audience.PUBLIC), actor=SYSTEM)
    services.indexer.catch_up()
    assert list(services.index.live()) == []
    assert found(services, "Secret plan", SYSTEM) == []


def test_the_same_text_is_embedded_once(sqlite_settings: Settings) -> None:
    embedder = CountingEmbedder()
    with open_services(sqlite_settings, load=lambda _: embedder) as services:
        for _ in range(3):
            publish(services, "Same title", "Same text.")
        services.indexer.catch_up()
        assert embedder.embedded == 1
        assert len(services.searcher.search("Same title", reader=Principal()).hits) == 3


def test_a_lost_index_is_rebuilt_without_embedding(sqlite_settings: Settings) -> None:
    with open_services(sqlite_settings, load=fake) as services:
        numbers = [publish(services, f"Article {n}") for n in range(30)]
        services.indexer.catch_up()
        services.indexer.flush()
        before = found(services, "Article 7")
    shutil.rmtree(sqlite_settings.index_folder)
    embedder = CountingEmbedder()
    with open_services(sqlite_settings, load=lambda _: embedder) as services:
        services.indexer.catch_up()
        assert found(services, "Article 7") == before
        assert {item for _, item in services.index.live()} == set(numbers)
    assert embedder.embedded == 0


def test_a_restart_replays_what_was_not_flushed(sqlite_settings: Settings) -> None:
    with open_services(sqlite_settings, load=fake) as services:
        publish(services, "First")
        services.indexer.catch_up()
        services.indexer.flush()
        publish(services, "Second")
        services.indexer.catch_up()  # applied in memory, never flushed
    with open_services(sqlite_settings, load=fake) as services:
        services.indexer.catch_up()
        assert len(list(services.index.live())) == 2


def test_a_torn_index_is_rebuilt(sqlite_settings: Settings) -> None:
    with open_services(sqlite_settings, load=fake) as services:
        publish(services, "First")
        services.indexer.catch_up()
        services.indexer.flush()
    files = [path for path in sqlite_settings.index_folder.rglob("*") if path.is_file() and path.stat().st_size > 64]
    largest = max(files, key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[: largest.stat().st_size // 2])
    with open_services(sqlite_settings, load=fake) as services:
        services.indexer.catch_up()
        assert len(list(services.index.live())) == 1
        assert verify(services.db, services.index, services.embedder.fingerprint).faults == []


def test_a_model_that_is_not_the_one_the_index_was_made_with_is_refused(sqlite_settings: Settings) -> None:
    with open_services(sqlite_settings, load=fake) as services:
        publish(services, "First")
        services.indexer.catch_up()
    with pytest.raises(Misconfigured, match="kb generation build --force"):
        open_services(sqlite_settings, load=lambda _: FakeEmbedder(fingerprint="another"))


def test_another_model_in_the_settings_changes_nothing_by_itself(sqlite_settings: Settings) -> None:
    with open_services(sqlite_settings, load=fake) as services:
        number = publish(services, "First")
        services.indexer.catch_up()
    with open_services(sqlite_settings.model_copy(update={"embedder": "other"}), load=fake) as services:
        services.indexer.catch_up()
        assert found(services, "First") == [number]
        assert services.generation.recipe.embedder == "e5-small"


def test_an_index_of_another_state_of_the_database_is_built_anew(sqlite_settings: Settings) -> None:
    with open_services(sqlite_settings, load=fake) as services:
        for n in range(3):
            publish(services, f"Article {n}")
        services.indexer.catch_up()
        services.indexer.flush()
    (sqlite_settings.data / "kb.sqlite3").unlink()
    with open_services(sqlite_settings, load=fake) as services:  # another database under the same index folder
        number = publish(services, "Only one")
        services.indexer.catch_up()
        assert [item for _, item in services.index.live()] == [number]
        services.indexer.flush()
        with services.db.write() as session:  # a backup from before the last change
            session.connection().execute(text("DELETE FROM change_log WHERE seq = (SELECT MAX(seq) FROM change_log)"))
    with open_services(sqlite_settings, load=fake) as services:
        assert services.index.watermark == 0
        services.indexer.catch_up()
        assert [item for _, item in services.index.live()] == [number]


def test_two_processes_over_one_folder_see_the_same(sqlite_settings: Settings) -> None:
    with open_services(sqlite_settings, load=fake) as one:
        with open_services(sqlite_settings, load=fake) as two:
            number = publish(one, "Shared")
            one.indexer.catch_up()
            two.indexer.catch_up()
            assert found(one, "Shared") == found(two, "Shared") == [number]
            assert one.indexer.flush() != two.indexer.flush(), "one process writes the index, the other follows"
            other = publish(two, "Shared too")
            one.indexer.catch_up()
            two.indexer.catch_up()
            assert set(found(one, "Shared")) == set(found(two, "Shared")) == {number, other}


def test_verify_names_what_is_wrong(services: Services) -> None:
    number = publish(services, "Router reset")
    services.indexer.catch_up()
    with services.db.write() as session:
        session.add(
            Passage(
                generation=1,
                item_id=number,
                revision_id=1,
                ordinal=9,
                text="x",
                search_text="x",
                embedding_hash="none",
                chunker="c",
            )
        )
    faults = verify(services.db, services.index, services.embedder.fingerprint).faults
    assert any("missing in the index" in fault for fault in faults)
    assert any("without a vector" in fault for fault in faults)
    with services.db.write() as session:
        for passage in session.exec(select(Passage).where(col(Passage.item_id) == number)):
            session.delete(passage)
    faults = verify(services.db, services.index, services.embedder.fingerprint).faults
    assert any("not live" in fault for fault in faults)
    assert any("without passages: KB-1" in fault for fault in faults)


@pytest.fixture
def sqlite_settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data")
