"""From texts to unit vectors: the Embedder protocol, and models served by ONNX Runtime.

Serving imports neither torch nor transformers. They prepare a model once, in another process: see `retrieval.export`.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from tokenizers import Tokenizer

from kb.errors import Misconfigured
from retrieval.asked import Asked
from retrieval.embedding import prepared as cache
from retrieval.embedding.catalogue import find
from retrieval.embedding.prepared import MODEL, TOKENIZER, Prepared
from retrieval.types import Vector

Progress = Callable[[str], None]
"""Is told, in a sentence, what takes long."""

BATCH_TOKENS = 2048
"""Most tokens of a batch, padding included: more costs memory and is no faster (docs/decisions/0004-embedding.md)."""

SLAB = 1024
"""Texts tokenized and sorted by length at a time."""

CHARACTERS_A_TOKEN = 64
"""A text is cut at this many characters for each token that the model reads, so that no text takes long to tokenize."""

REMEMBERED = 2048
"""Questions whose vectors are kept: instant results, the page of results and the answer ask the same one."""

LONGEST_REMEMBERED = 400
"""Characters of a question that is remembered: longer ones are seldom asked twice."""

_UNREADABLE = re.compile("[\0\ud800-\udfff]")

Ids = npt.NDArray[np.int64]


class Embedder(Protocol):
    """Turns texts into vectors whose dot product is their nearness. Safe to use from several threads.

    No text raises: what a tokenizer cannot take (lone surrogates) is replaced, what is too long is cut at
    `max_tokens`, and an empty text has a vector like any other.
    """

    @property
    def name(self) -> str:
        """What people call it: the name it was loaded by."""

    @property
    def fingerprint(self) -> str:
        """Hash of weights and preparation, equal on every machine. Vectors of two fingerprints do not compare."""

    @property
    def dim(self) -> int:
        """Length of a vector."""

    @property
    def max_tokens(self) -> int:
        """Most tokens that the model reads of one text, its prefix and special tokens included."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text as a passage: prefix and special tokens included, nothing cut."""

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        """Return (start, end) in characters of each token of the text itself, in order; nothing cut."""

    def embed_passages(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return the vectors of passages, float32 of shape (len(texts), dim), rows of unit length, in input order."""

    def embed_query(self, text: str) -> Vector:
        """Return the vector of a question, float32 of shape (dim,), unit length."""


class OnnxEmbedder:
    """An Embedder on a prepared model."""

    def __init__(self, name: str, model: Prepared, threads: int | None = None) -> None:
        """Load the model; `threads` of None: as many as the process has cores. Raises Misconfigured."""
        self.name = name
        self.fingerprint = model.fingerprint
        self.dim = model.dim
        self.max_tokens = model.max_tokens
        self._model = model
        self._session = open_session(model.folder, threads)
        self._tokenizer = _tokenizer(model.folder)
        special = [re.escape(t.content) for t in self._tokenizer.get_added_tokens_decoder().values() if t.special]
        self._remembered = Asked(self._embed_query, REMEMBERED)
        self._special = re.compile("|".join(special) or r"(?!)")

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        prefix = self._model.passage_prefix
        return [len(found) for found in self._tokenizer.encode_batch_fast([prefix + self._clean(t) for t in texts])]

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        found = self._tokenizer.encode(_UNREADABLE.sub("\ufffd", text), add_special_tokens=False)
        return [(start, end) for start, end in found.offsets]

    def embed_passages(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        vectors = np.empty((len(texts), self.dim), np.float32)
        for start in range(0, len(texts), SLAB):
            ids = self.tokenize(texts[start : start + SLAB], self._model.passage_prefix)
            for rows in batches([len(row) for row in ids]):
                vectors[start + rows] = self._run([ids[row] for row in rows])
        return vectors

    def embed_query(self, text: str) -> Vector:
        """Return the vector of a question, read-only; those asked lately are remembered (a vector knows no reader)."""
        return self._remembered(text) if len(text) <= LONGEST_REMEMBERED else self._embed_query(text)

    def _embed_query(self, text: str) -> Vector:
        vector = np.asarray(self._run(self.tokenize([text], self._model.query_prefix))[0], np.float32)
        vector.setflags(write=False)
        return vector

    def tokenize(self, texts: Sequence[str], prefix: str) -> list[Ids]:
        """Return the token ids of each text behind `prefix`, special tokens included, at most `max_tokens`."""
        longest = CHARACTERS_A_TOKEN * self.max_tokens
        ready = [prefix + self._clean(text[:longest]) for text in texts]
        return [self._cut(found.ids, found.special_tokens_mask) for found in self._tokenizer.encode_batch_fast(ready)]

    def _cut(self, ids: Sequence[int], special: Sequence[int]) -> Ids:
        if len(ids) > self.max_tokens:
            last = 0
            while special[-1 - last]:
                last += 1
            ids = [*ids[: self.max_tokens - last], *ids[len(ids) - last :]]
        return np.array(ids, np.int64)

    def _run(self, ids: Sequence[Ids]) -> npt.NDArray[np.float32]:
        input_ids, attention_mask = padded(ids, self._model.pad_id)
        found = self._session.run(None, {"input_ids": input_ids, "attention_mask": attention_mask})
        return np.asarray(found[0], np.float32)

    def _clean(self, text: str) -> str:
        """Return a text as the model reads it: `</s>` in a text is what its author wrote, not the end of it."""
        readable = _UNREADABLE.sub("\ufffd", text).strip()
        return self._special.sub(lambda found: f"{found[0][0]} {found[0][1:]}", readable)


def load_embedder(
    name: str, cache_dir: Path, threads: int | None = None, on_progress: Progress | None = None
) -> Embedder:
    """Load a model, preparing it first where `cache_dir` does not have it: about a minute, once a machine.

    `name` is `e5-small`, `minilm`, the folder of a sentence-transformers model, or its id on the hub (from the local
    cache, else downloaded). `threads` of None: as many as the process has cores.

    Raises Misconfigured, naming the model and the way out, and Unavailable where preparing it was cut off.
    """
    return OnnxEmbedder(name, cache.ensure(find(name), cache_dir, on_progress or (lambda _: None)), threads)


def open_session(folder: Path, threads: int | None = None) -> ort.InferenceSession:
    """Return the encoder alone: int64 `input_ids` and `attention_mask` (n, tokens) to float32 unit vectors (n, dim)."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(str(folder / MODEL), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise _damaged(folder, error) from error


def batches(lengths: Sequence[int], most: int = BATCH_TOKENS) -> Iterator[npt.NDArray[np.intp]]:
    """Yield the positions of texts of these lengths in batches of like length, at most `most` tokens when padded.

    A text that is longer than `most` is a batch by itself.
    """
    order = np.argsort(np.asarray(lengths, np.int64), kind="stable")
    start = 0
    for end in range(1, len(order) + 1):
        if end == len(order) or (end + 1 - start) * lengths[order[end]] > most:
            yield order[start:end]
            start = end


def padded(ids: Sequence[Ids], pad_id: int) -> tuple[Ids, Ids]:
    """Return rows of token ids as one array (n, longest) with its attention mask."""
    longest = max(len(row) for row in ids)
    input_ids = np.full((len(ids), longest), pad_id, np.int64)
    attention_mask = np.zeros((len(ids), longest), np.int64)
    for at, row in enumerate(ids):
        input_ids[at, : len(row)] = row
        attention_mask[at, : len(row)] = 1
    return input_ids, attention_mask


def _tokenizer(folder: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(folder / TOKENIZER))
    except Exception as error:
        raise _damaged(folder, error) from error


def _damaged(folder: Path, error: Exception) -> Misconfigured:
    return Misconfigured(
        f"the prepared embedding model in {str(folder)!r} cannot be read ({str(error).partition(chr(10))[0]}): "
        "delete that folder, and it is made again"
    )
