import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.errors import Misconfigured
from retrieval.embed import SLAB, OnnxEmbedder, batches, padded
from retrieval.embedding.prepared import MODEL, TOKENIZER
from tests.models import tiny_model


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> OnnxEmbedder:
    return OnnxEmbedder("tiny", tiny_model(tmp_path_factory.mktemp("models") / "tiny"), threads=1)


@given(st.lists(st.integers(2, 700), max_size=60), st.integers(1, 3000))
def test_batches_hold_every_text_once_and_keep_the_bound(lengths: list[int], most: int) -> None:
    found = list(batches(lengths, most))
    assert sorted(at for batch in found for at in batch) == list(range(len(lengths)))
    for batch in found:
        assert len(batch) == 1 or len(batch) * max(lengths[at] for at in batch) <= most
    ordered = [lengths[at] for batch in found for at in batch]
    assert ordered == sorted(ordered)


def test_padding_is_masked() -> None:
    input_ids, mask = padded([np.array([5, 6, 7]), np.array([8])], pad_id=1)
    assert input_ids.tolist() == [[5, 6, 7], [8, 1, 1]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]


def test_a_question_asked_again_is_remembered_and_cannot_be_changed(tiny: OnnxEmbedder) -> None:
    first = tiny.embed_query("reset the router")
    assert tiny.embed_query("reset the router") is first
    assert not first.flags.writeable
    long = "router " * 100
    assert tiny.embed_query(long) is not tiny.embed_query(long)
    np.testing.assert_array_equal(tiny.embed_query(long), tiny.embed_query(long))


def test_vectors_are_in_input_order_and_do_not_see_their_neighbours(tiny: OnnxEmbedder) -> None:
    texts = ["printer paper jam", "refund", "reset your password order late", "", "重置 密码"] * (SLAB // 3)
    assert len(texts) > SLAB
    vectors = tiny.embed_passages(texts)
    alone = np.concatenate([tiny.embed_passages([text]) for text in texts[:5]])
    np.testing.assert_allclose(vectors, np.tile(alone, (SLAB // 3, 1)), atol=1e-6)


def test_questions_and_passages_have_prefixes_of_their_own(tiny: OnnxEmbedder) -> None:
    assert [tiny.tokenize(["refund"], prefix)[0].tolist() for prefix in ("query: ", "passage: ")] == [
        [2, 7, 4, 15, 3],
        [2, 8, 4, 15, 3],
    ]
    query, passage = tiny.embed_query("refund"), tiny.embed_passages(["refund"])[0]
    assert query[7] > 0 == query[8]
    assert passage[8] > 0 == passage[7]


def test_a_long_text_is_cut_and_keeps_its_end_token(tiny: OnnxEmbedder) -> None:
    (ids,) = tiny.tokenize(["refund " * 50], "passage: ")
    assert ids.tolist() == [2, 8, 4, *[15] * 8, 3]
    assert tiny.count_tokens(["refund " * 50]) == [54]


def test_special_tokens_in_a_text_are_text(tiny: OnnxEmbedder) -> None:
    (ids,) = tiny.tokenize(["refund [SEP] order"], "")
    assert ids[:-1].tolist().count(3) == 0
    assert 16 in ids


def test_offsets_are_of_the_text_itself(tiny: OnnxEmbedder) -> None:
    text = "reset  your\ud800 重置\0密码"
    offsets = tiny.token_offsets(text)
    assert [text[start:end] for start, end in offsets][:2] == ["reset", "your"]
    assert all(0 <= start <= end <= len(text) for start, end in offsets)


def test_whitespace_around_a_text_changes_nothing(tiny: OnnxEmbedder) -> None:
    np.testing.assert_array_equal(tiny.embed_query("\n refund\t "), tiny.embed_query("refund"))


def test_queries_from_several_threads_are_those_of_one(tiny: OnnxEmbedder) -> None:
    texts = ["refund", "printer paper jam", "reset your password"] * 20
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(tiny.embed_query, texts))
    np.testing.assert_array_equal(found, [tiny.embed_query(text) for text in texts])


@pytest.mark.parametrize("name", [MODEL, TOKENIZER])
def test_a_damaged_file_is_named_with_its_folder(tmp_path: Path, name: str) -> None:
    model = tiny_model(tmp_path / "tiny")
    (model.folder / name).write_bytes(b"damaged")
    with pytest.raises(Misconfigured, match=re.escape(repr(str(model.folder))) + r".*delete that folder"):
        OnnxEmbedder("tiny", model)
