"""A cross-encoder for natural language inference, made here: loaded late, asked for the right class."""

import json
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from kb.errors import Misconfigured
from retrieval.entailment import Entailment


def model_folder(folder: Path, labels: list[str], likely: int) -> Path:
    """Make a BERT of one layer that finds class `likely` most likely of any two texts."""
    words = {word: at for at, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "box", "the"])}
    tokenizer = Tokenizer(WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    ).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        id2label=dict(enumerate(labels)),
        label2id={label: at for at, label in enumerate(labels)},
    )
    torch.manual_seed(1)
    model = BertForSequenceClassification(config)
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.zero_()
        model.classifier.bias[likely] = 3.0
    model.save_pretrained(folder)
    return folder


def test_the_class_is_found_by_its_name(tmp_path: Path) -> None:
    labels = ["contradiction", "ENTAILMENT", "neutral"]
    sure = Entailment(str(model_folder(tmp_path / "sure", labels, likely=1)))
    assert sure("the box", "the box") == pytest.approx(0.909, abs=1e-3)
    other = Entailment(str(model_folder(tmp_path / "other", labels, likely=0)))
    assert other("the box", "the box") == pytest.approx(0.045, abs=1e-3)


def test_two_classes_are_told_apart(tmp_path: Path) -> None:
    told = Entailment(str(model_folder(tmp_path / "two", ["entailment", "not_entailment"], likely=0)))
    assert told("the box", "the box") > 0.9


@pytest.mark.parametrize("labels", [["LABEL_0", "LABEL_1", "LABEL_2"], ["good", "bad"]])
def test_a_model_of_something_else_is_refused(tmp_path: Path, labels: list[str]) -> None:
    wrong = Entailment(str(model_folder(tmp_path / "wrong", labels, likely=0)))
    with pytest.raises(Misconfigured, match="KB_ENTAILMENT_MODEL"):
        wrong.load()


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "config.json").write_text(json.dumps({}))
    with pytest.raises(Misconfigured, match="cannot be loaded"):
        Entailment(str(tmp_path / "empty"))("a", "b")
