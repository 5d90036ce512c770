"""kb adapt: adopted where it wins on what it has not seen, and only there; served, followed, refused, removed."""

from pathlib import Path

import numpy as np
import pytest

from api.services import Services, open_services
from ingest.adapting import ENOUGH, Adoption, adapt
from ingest.gate import Judged, questions
from ingest.judged import JudgedQuery
from ingest.weighing import Weighing, weigh
from kb.access import SYSTEM
from kb.events import Happened
from kb.models import EventKind
from kb.settings import Settings
from retrieval import own_fusion
from retrieval.adapted import AdaptedEmbedder, AdapterFile, write
from retrieval.own_fusion import OwnFusion, OwnFusionFile
from retrieval.tuned import TUNED
from tests.fakes import FakeEmbedder, fake
from tests.integration.test_cli import Run, kb  # noqa: F401
from tests.integration.test_indexer import publish

WORDS = "alpha bravo candle dragon ember falcon garnet hollow island jasmine kettle lantern".split()


class TurnedEmbedder(FakeEmbedder):
    """A model whose questions all lie off their passages alike: what an adapter can learn."""

    def embed_query(self, text: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        vector = super().embed_query(text)
        return np.roll(vector, 1)


class VagueEmbedder(FakeEmbedder):
    """A model whose questions lie nearly anywhere: words should weigh more than they do by default."""

    def embed_query(self, text: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        noise = np.random.default_rng(list(text.encode())).normal(0, 1, self.dim)
        mixed = super().embed_query(text) + 3 * noise / np.linalg.norm(noise)
        return np.asarray(mixed / np.linalg.norm(mixed), np.float32)


def vague(name: str) -> FakeEmbedder:
    return VagueEmbedder()


def turned(name: str) -> FakeEmbedder:
    return TurnedEmbedder()


def topics() -> list[str]:
    return [f"{a} {b} {c}" for n, a in enumerate(WORDS) for b in WORDS[n + 1 :] for c in WORDS[n // 2 : n // 2 + 2]]


def linked(services: Services, *, wrong: bool = False, words: bool = False) -> list[str]:
    """Publish an article a topic; link each, or a `wrong` one, to a case without its words, or with its `words`."""
    names = topics()
    numbers = [publish(services, name) for name in names]
    services.indexer.catch_up()
    shuffled = np.random.default_rng(0).permutation(numbers) if wrong else numbers
    for name, number in zip(names, shuffled, strict=True):
        text = f"about {name}" if words else name.replace(" ", "x")
        data = {"link": "used"}
        services.events.add(Happened(kind=EventKind.LINK, role="agent", text=text, item_id=int(number), data=data))
    services.events.flush()
    return names


def learnt(services: Services) -> Adoption:
    return adapt(services.db, services.index, services.embedder, questions(services.db, []))


def test_what_wins_is_adopted_and_followed_without_a_restart(tmp_path: Path) -> None:
    with open_services(Settings(data=tmp_path), load=turned) as services:
        names = linked(services)
        found = learnt(services)
        assert found.refusal is None
        assert found.after > found.before
        assert found.p < 0.05
        assert found.learnt_from + found.questions == len(names)
        assert found.adapter is not None
        embedder = services.embedder
        assert isinstance(embedder, AdaptedEmbedder)
        before = embedder.embed_query("alphaxbravo")
        file = AdapterFile(services.settings.adapters_folder, embedder.fingerprint)
        write(file.path, found.adapter)
        assert not np.array_equal(embedder.embed_query("alphaxbravo"), before)
        after = mean_rank(services, names)
        file.path.write_bytes(file.path.read_bytes()[:-5])
        np.testing.assert_array_equal(embedder.embed_query("alphaxbravo"), before)
        assert mean_rank(services, names) > after
        np.testing.assert_array_equal(learnt(services).adapter.map, found.adapter.map)  # type: ignore[union-attr]


def mean_rank(services: Services, names: list[str]) -> float:
    ranks = []
    for name in names:
        titles = [hit.found.title for hit in services.searcher.search(name.replace(" ", "x"), reader=SYSTEM).hits]
        ranks.append(titles.index(name) if name in titles else 10)
    return float(np.mean(ranks))


def test_links_that_teach_nothing_are_not_adopted(tmp_path: Path) -> None:
    with open_services(Settings(data=tmp_path), load=fake) as services:
        linked(services, wrong=True)
        found = learnt(services)
        assert found.refusal is not None
        assert found.as_json()["adopted"] is False


def test_too_few_questions_decide_nothing(services: Services) -> None:
    number = publish(services, "Reset the router")
    services.indexer.catch_up()
    few = [Judged(JudgedQuery(f"q{n}", "reset", True, None), {str(number): 1}) for n in range(ENOUGH)]
    found = adapt(services.db, services.index, services.embedder, few)
    assert "too few questions" in str(found.refusal)
    nowhere = [Judged(JudgedQuery(f"q{n}", "reset", True, None), {"gone": 1}) for n in range(5 * ENOUGH)]
    found = adapt(services.db, services.index, services.embedder, nowhere)
    assert "relevant item with passages" in str(found.refusal)


def test_the_command_adopts_says_so_and_takes_back(
    kb: Run,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import api.services

    data = tmp_path / "data"
    code, said, _ = kb("adapt", "--json")
    assert (code, said["adopted"]) == (4, False)
    assert "too few" in said["refusal"]
    code, _, error = kb("adapt", "--remove")
    assert (code, "there is no adapter" in error) == (1, True)
    monkeypatch.setattr(api.services, "load_embedder", lambda name, *_, **__: TurnedEmbedder())
    with open_services(Settings(data=data)) as services:
        linked(services)
        before = OwnFusionFile(services.settings.adapters_folder, services.embedder.fingerprint).path
        own_fusion.write(before, OwnFusion(services.embedder.fingerprint, 1.0, 0.5))
    code, said, _ = kb("adapt", "--json")
    assert (code, said["adopted"], list(said["langs"])) == (0, True, ["en"])
    assert not said["fusion"]["adopted"]
    (file,) = (data / "adapters").iterdir()
    assert file != before, "weights measured with another adapter go"
    monkeypatch.setattr("retrieval.embed.load_embedder", lambda *_, **__: FakeEmbedder())
    code, checks, _ = kb("doctor", "--json")
    check = next(check for check in checks["checks"] if check["name"] == "adapter")
    assert check["ok"]
    assert "learnt from" in check["detail"]
    file.write_bytes(b"answerwell-adapter 0 x\n")
    _, checks, _ = kb("doctor", "--json")
    check = next(check for check in checks["checks"] if check["name"] == "adapter")
    assert (check["ok"], "version 0" in check["detail"]) == (False, True)
    code, said, _ = kb("adapt", "--remove", "--json")
    assert (code, said["removed"], file.exists()) == (0, [str(file)], False)


def weighed(services: Services) -> Weighing:
    assert isinstance(services.embedder, AdaptedEmbedder)
    return weigh(services.db, services.index, services.embedder, questions(services.db, []))


def test_weights_that_win_are_adopted_followed_and_survive_a_restart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_services(Settings(data=tmp_path), load=vague) as services:
        linked(services, words=True)
        found = weighed(services)
        assert found.refusal is None
        assert found.fusion is not None
        assert found.fusion.weight > TUNED.lexical_weight
        assert found.held is not None
        assert found.held.after > found.held.before
        assert found.as_json()["p"] < 0.05
        before = scores(services)
        file = OwnFusionFile(services.settings.adapters_folder, services.embedder.fingerprint)
        own_fusion.write(file.path, found.fusion)
        after = scores(services)
        assert after != before
    with open_services(Settings(data=tmp_path), load=vague) as services:
        services.indexer.catch_up()
        assert scores(services) == pytest.approx(after)
        file.path.write_bytes(file.path.read_bytes()[:-5])
        assert scores(services) == pytest.approx(before)
        assert str(file.path) in caplog.text


def scores(services: Services) -> list[float]:
    return [hit.score for hit in services.searcher.search("about alpha bravo candle", reader=SYSTEM).hits]


def test_weights_that_teach_nothing_are_not_adopted(tmp_path: Path) -> None:
    with open_services(Settings(data=tmp_path), load=fake) as services:
        linked(services, wrong=True, words=True)
        found = weighed(services)
        assert found.refusal is not None
        assert found.as_json()["adopted"] is False


def test_few_questions_weigh_nothing(services: Services) -> None:
    assert "too few questions" in str(weighed(services).refusal)


def test_the_command_adopts_weights_by_themselves_and_takes_them_back(
    kb: Run,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = tmp_path / "data"
    monkeypatch.setattr("api.services.load_embedder", lambda name, *_, **__: VagueEmbedder())
    with open_services(Settings(data=data)) as services:
        linked(services, words=True)
    code, said, _ = kb("adapt", "--json")
    assert (code, said["adopted"], said["fusion"]["adopted"]) == (0, False, True)
    (file,) = (data / "adapters").iterdir()
    assert file.suffix == ".fusion"
    code, again, _ = kb("adapt", "--json")
    assert (code, again["fusion"]) == (0, said["fusion"]), "measured against the shipped one, not against itself"
    code, out, _ = kb("adapt")
    assert "These weights are adopted" in out
    monkeypatch.setattr("retrieval.embed.load_embedder", lambda *_, **__: FakeEmbedder())
    _, checks, _ = kb("doctor", "--json")
    check = next(check for check in checks["checks"] if check["name"] == "fusion")
    assert (check["ok"], "weight" in check["detail"]) == (True, True)
    file.write_bytes(b"answerwell-fusion 0 x\n")
    _, checks, _ = kb("doctor", "--json")
    check = next(check for check in checks["checks"] if check["name"] == "fusion")
    assert (check["ok"], "version 0" in check["detail"]) == (False, True)
    code, said, _ = kb("adapt", "--remove", "--json")
    assert (code, said["removed"], file.exists()) == (0, [str(file)], False)
