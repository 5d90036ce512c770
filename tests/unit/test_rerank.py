"""A second look: a real cross-encoder, made here, orders the best anew; late or failing, the fused order stands."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.services import open_services
from eval.run import run
from ingest.judged import load
from kb.access import SYSTEM
from kb.errors import InvalidInput, Misconfigured
from kb.settings import Settings
from retrieval.rerank import CrossEncoderReranker, Reranked, Reranking, TooLate, configured
from retrieval.search import Searcher
from tests.fakes import FakeEmbedder, fake

ROOT = Path(__file__).parents[2]

MAKE = """
import sys, warnings
warnings.simplefilter("ignore")
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast
folder, labels = sys.argv[1], int(sys.argv[2])
words = "[PAD] [UNK] [CLS] [SEP] reset the router hold button pay an invoice by card".split()
tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer.post_processor = processors.TemplateProcessing(
    single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
)
names = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **names).save_pretrained(folder)
torch.manual_seed(7)
config = BertConfig(
    vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
    max_position_embeddings=64, num_labels=labels, initializer_range=0.5,
)
BertForSequenceClassification(config).save_pretrained(folder)
"""

SCORES = """
import json, sys, time, warnings
from retrieval.rerank import CrossEncoderReranker
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
question, passages = "reset router", json.loads(sys.argv[2])
found = CrossEncoderReranker(sys.argv[1]).scores(question, passages, time.perf_counter() + 100)
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1]).eval()
inputs = tokenizer([question] * len(passages), passages, padding=True, truncation=True, return_tensors="pt")
with torch.inference_mode():
    wanted = model(**inputs).logits[:, 0]
print(json.dumps([found.tolist(), wanted.tolist()]))
"""

SERVE = """
import sys
from api.app import create_app
from api.services import open_services
from kb.settings import load_settings
import api.services
from tests.fakes import fake
from fastapi.testclient import TestClient
with open_services(load_settings(), load=fake) as services:
    services.warm()
    with TestClient(create_app(services)) as client:
        said = client.get("/v1/search", params={"q": "reset"}).json()
        assert said["reranked"] == "off", said
        assert client.get("/v1/answer", params={"q": "reset"}).status_code == 200
print([name for name in ("torch", "transformers", "sentence_transformers") if name in sys.modules])
"""


def python(code: str, *arguments: object, **environment: str) -> str:
    """Run code in a process of its own, without a network for models; return what it prints."""
    found = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", **environment},
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers with random weights, one score a pair."""
    folder = tmp_path_factory.mktemp("reranker") / "tiny"
    python(MAKE, folder, 1)
    return folder


def test_scores_are_those_of_the_model_itself(model: Path) -> None:
    passages = ["reset the router", "pay an invoice", "hold the button " * 40, "", "card", "路由器"]
    found, wanted = json.loads(python(SCORES, model, json.dumps(passages)).splitlines()[-1])
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert len(set(found)) > 3, "random weights tell texts apart"


def test_serving_without_a_reranker_loads_no_torch(tmp_path: Path) -> None:
    assert python(SERVE, KB_DATA=str(tmp_path)).strip() == "[]"


class Scripted:
    """A Reranker that gives the scores it is told."""

    name = "scripted"

    def __init__(self, answer: Sequence[float] | Exception) -> None:
        self._answer = answer
        self.read: list[str] = []

    def load(self) -> None:
        pass

    def scores(self, question: str, passages: Sequence[str], deadline: float) -> npt.NDArray[np.float64]:
        self.read = list(passages)
        if isinstance(self._answer, Exception):
            raise self._answer
        return np.array(self._answer, np.float64)


@given(st.lists(st.floats(-5, 5), max_size=8))
def test_higher_scores_come_first_and_equal_ones_as_they_came(scores: list[float]) -> None:
    found = Reranking(Scripted(scores), 20, 1000).reorder("q", ["p"] * len(scores))
    assert found.outcome is Reranked.DONE
    assert list(found.order) == sorted(range(len(scores)), key=lambda n: -scores[n])


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (TooLate(), Reranked.LATE),
        (RuntimeError("out of memory"), Reranked.FAILED),
        ([1.0, float("nan"), 2.0], Reranked.FAILED),
        ([1.0, 2.0], Reranked.FAILED),
    ],
)
def test_late_or_failing_the_order_stays(answer: Sequence[float] | Exception, outcome: Reranked) -> None:
    found = Reranking(Scripted(answer), 20, 1000).reorder("q", ["a", "b", "c"])
    assert (list(found.order), found.outcome) == ([0, 1, 2], outcome)


def test_the_clock_is_looked_at_between_passages(monkeypatch: pytest.MonkeyPatch) -> None:
    reranker = CrossEncoderReranker("none")
    monkeypatch.setattr(reranker, "load", lambda: None)
    read: list[str] = []

    def slow(question: str, passages: Sequence[str]) -> list[float]:
        read.extend(passages)
        time.sleep(0.05)
        return [0.0] * len(passages)

    monkeypatch.setattr(reranker, "_read", slow)
    with pytest.raises(TooLate):
        reranker.scores("q", ["p"] * 400, time.perf_counter() + 0.02)
    assert 0 < len(read) < 400
    assert len(reranker.scores("q", ["p"] * 10, float("inf"))) == 10
    with reranker._reading, pytest.raises(TooLate):  # another question is read meanwhile
        reranker.scores("q", ["p"], time.perf_counter() + 0.01)


def test_what_is_no_reranker_is_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "two"
    python(MAKE, folder, 2)
    with pytest.raises(Misconfigured, match=r"two.*2 scores to a passage, not one.*KB_RERANKER"):
        CrossEncoderReranker(str(folder)).load()
    with pytest.raises(Misconfigured, match="KB_RERANKER"):
        CrossEncoderReranker(str(tmp_path / "nowhere")).load()
    wrong = Settings(data=tmp_path / "data", reranker=str(tmp_path / "nowhere"))
    with open_services(wrong, load=fake) as services, pytest.raises(Misconfigured, match="nowhere"):
        services.warm()  # what a server does before it says that it is ready


def test_it_is_off_unless_a_setting_names_one() -> None:
    assert configured(Settings()) is None
    found = configured(Settings(reranker="some/model", rerank_top=7, rerank_ms=300))
    assert found is not None
    assert (found.reranker.name, found.top, found.budget_ms) == ("some/model", 7, 300)


def judged(folder: Path, count: int = 30) -> Path:
    folder.mkdir()
    documents = [
        {"_id": f"d{n}", "title": f"Thing number {n}", "text": f"How to mend thing number {n}."} for n in range(count)
    ]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(d) + "\n" for d in documents))
    (folder / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": "mend thing number 3"}) + "\n")
    (folder / "qrels.tsv").write_text("query\tdocument\tgrade\nq\td3\t1\n")
    return folder


def test_evaluation_measures_it_beside_the_others(tmp_path: Path) -> None:
    one = load(judged(tmp_path / "set"))
    plain, reversed_ = run(one, ["hybrid", "rerank"], FakeEmbedder(), reranking=Reranking(Scripted(range(7)), 7, 1000))
    ranking = plain.rankings["q"]
    assert reversed_.rankings["q"] == [*reversed(ranking[:7]), *ranking[7:]]
    assert plain.values["mrr@10"] == 1
    assert reversed_.values["mrr@10"] == pytest.approx(1 / 7)
    with pytest.raises(InvalidInput, match="KB_RERANKER"):
        run(one, ["rerank"], FakeEmbedder())


def test_a_search_shows_its_order_and_only_what_may_be_read(tmp_path: Path) -> None:
    from eval.throwaway import corpus_of, knowledge_base
    from kb import editorial
    from kb.models import Item

    one = load(judged(tmp_path / "set"))
    with knowledge_base("set", corpus_of(one), FakeEmbedder(), tell=lambda _: None) as kb:
        plain = kb.searcher.search("mend thing number 3", reader=SYSTEM, limit=5)
        assert plain.reranked is Reranked.OFF
        assert "rerank" not in plain.took_ms
        scripted = Scripted(range(8))
        with kb.db.write() as session:
            gone = editorial.retire(session, session.get_one(Item, plain.hits[1].found.item_id), actor=SYSTEM)
        assert gone
        searcher = Searcher(kb.db, kb.index, kb.opened.embedder, Reranking(scripted, 8, 1000))
        wide = kb.searcher.search("mend thing number 3", reader=SYSTEM, limit=8)
        found = searcher.search("mend thing number 3", reader=SYSTEM, limit=5)
        assert found.reranked is Reranked.DONE
        assert found.took_ms["rerank"] >= 0
        assert [h.found.item_id for h in found.hits] == [h.found.item_id for h in reversed(wide.hits)][:5]
        assert [h.score for h in found.hits] == [h.score for h in wide.hits][:5], "scores order"
        assert len(scripted.read) == 8
        assert all(plain.hits[1].found.title != text.partition("\n")[0] for text in scripted.read)
        late = Searcher(kb.db, kb.index, kb.opened.embedder, Reranking(Scripted(TooLate()), 8, 1000))
        found = late.search("mend thing number 3", reader=SYSTEM, limit=5)
        assert found.reranked is Reranked.LATE
        assert [h.found.item_id for h in found.hits] == [h.found.item_id for h in wide.hits][:5]
