"""Passages lean towards their title, by the weight and no more."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from retrieval.titled import TitledEmbedder
from tests.fakes import FakeEmbedder

TEXT = "Reset the router\nHold the button for twelve seconds."


def test_the_vector_is_the_weighted_sum_at_unit_length() -> None:
    inner = FakeEmbedder()
    text, title = inner.embed_passages([TEXT, "Reset the router"])
    wanted = text + 0.5 * title
    found = TitledEmbedder(inner, 0.5).embed_passages([TEXT])[0]
    np.testing.assert_allclose(found, wanted / np.linalg.norm(wanted), atol=1e-6)


def test_a_text_without_a_second_line_keeps_its_vector() -> None:
    inner = FakeEmbedder()
    np.testing.assert_allclose(
        TitledEmbedder(inner).embed_passages(["Reset"]), inner.embed_passages(["Reset"]), atol=1e-6
    )


def test_questions_are_left_alone_and_batches_change_nothing() -> None:
    inner = FakeEmbedder()
    titled = TitledEmbedder(inner)
    np.testing.assert_array_equal(titled.embed_query(TEXT), inner.embed_query(TEXT))
    together = titled.embed_passages([TEXT, "Other\nbody", TEXT])
    np.testing.assert_allclose(together[0], together[2])
    np.testing.assert_allclose(together[1], titled.embed_passages(["Other\nbody"])[0], atol=1e-6)
    assert titled.embed_passages([]).shape == (0, titled.dim)


@pytest.mark.parametrize("weight", [0.0, 0.3])
def test_another_weight_is_another_fingerprint(weight: float) -> None:
    inner = FakeEmbedder()
    assert TitledEmbedder(inner, weight).fingerprint not in (inner.fingerprint, TitledEmbedder(inner, 0.5).fingerprint)


def test_a_text_of_one_line_is_embedded_once() -> None:
    embedded: list[str] = []

    class Counting(FakeEmbedder):
        def embed_passages(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
            embedded.extend(texts)
            return super().embed_passages(texts)

    counting = Counting()
    found = TitledEmbedder(counting).embed_passages(["A sentence.", "Title\nA passage.", "Title"])
    assert embedded == ["A sentence.", "Title\nA passage.", "Title"]
    assert np.allclose(found[[0, 2]], FakeEmbedder().embed_passages(["A sentence.", "Title"]), atol=1e-6)
