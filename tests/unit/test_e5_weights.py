import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from retrieval.embedding.e5_weights import WeightsFile, write_model
from tests.models import PIECES, tiny_weights


def test_sizes_and_vocabulary_are_read(tmp_path: Path) -> None:
    tiny_weights(tmp_path / "tiny.bin")
    read = WeightsFile(tmp_path / "tiny.bin")
    header = read.header
    assert (header.hidden, header.layers, header.heads, header.inner) == (64, 2, 2, 128)
    assert (header.vocabulary, header.positions, header.types) == (len(PIECES), 40, 2)
    assert header.epsilon == pytest.approx(1e-12)
    assert [piece for piece, _ in read.vocabulary] == PIECES
    assert read.vocabulary[5] == ("e", -6.0)


def test_a_block_is_a_scale_and_32_values_low_nibbles_first(tmp_path: Path) -> None:
    packed = tiny_weights(tmp_path / "tiny.bin")["l1.fo.w"]
    block = packed[18 * 3 : 18 * 4]
    (scale,) = np.frombuffer(block[:2], "<f2")
    low = [(byte & 15) - 8 for byte in block[2:]]
    high = [(byte >> 4) - 8 for byte in block[2:]]
    weight = WeightsFile(tmp_path / "tiny.bin").tensors()["encoder.layer.1.output.dense.weight"]
    assert weight.shape == (64, 128)
    assert weight.dtype == np.float32
    np.testing.assert_array_equal(weight[0, 96:128], np.array([*low, *high], np.float32) * np.float32(scale))


def test_the_folder_holds_what_sentence_transformers_reads(tmp_path: Path) -> None:
    tiny_weights(tmp_path / "tiny.bin")
    write_model(tmp_path / "tiny.bin", tmp_path / "model")
    state = load_file(tmp_path / "model" / "model.safetensors")
    assert state["embeddings.word_embeddings.weight"].shape == (len(PIECES), 64)
    assert state["encoder.layer.0.intermediate.dense.weight"].shape == (128, 64)
    assert len(state) == 5 + 2 * 16 + 2
    config = json.loads((tmp_path / "model" / "config.json").read_text(encoding="utf-8"))
    assert (config["num_attention_heads"], config["max_position_embeddings"]) == (2, 40)


@pytest.mark.parametrize(
    ("at", "content", "said"), [(0, b"GGUF", "does not begin with"), (40, b"\x40", "blocks of 64")]
)
def test_another_layout_is_refused(tmp_path: Path, at: int, content: bytes, said: str) -> None:
    file = tmp_path / "tiny.bin"
    tiny_weights(file)
    data = bytearray(file.read_bytes())
    data[at : at + len(content)] = content
    file.write_bytes(data)
    with pytest.raises(ValueError, match=said):
        WeightsFile(file)
