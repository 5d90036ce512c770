"""An adapter moves questions and nothing else, on the scale of those not moved; its file is whole, ours and new."""

import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.errors import Misconfigured
from retrieval.adapted import AdaptedEmbedder, Adapter, AdapterFile, comparable, read, write
from retrieval.fusion import fuse
from retrieval.types import Candidates, Query, QueryStats
from tests.fakes import FakeEmbedder

Folders = pytest.TempPathFactory
ENGLISH, CHINESE = "how do I reset the router", "怎样重置路由器"


def adapter(langs: tuple[str, ...] = ("en",), *, fingerprint: str = "fake-embedder", seed: int = 0) -> Adapter:
    random = np.random.default_rng(seed)
    map_ = random.normal(0, 0.2, (32, 32)).astype(np.float32)
    return Adapter(fingerprint, langs, map_, scale=1.5, offset=-0.4, learnt={"questions": 30})


def test_questions_of_its_languages_are_moved_and_nothing_else() -> None:
    inner, moving = FakeEmbedder(), adapter()
    adapted = AdaptedEmbedder(inner, lambda: moving)
    plain = inner.embed_query(ENGLISH)
    wanted = plain + plain @ moving.map
    np.testing.assert_allclose(adapted.embed_query(ENGLISH), wanted / np.linalg.norm(wanted), atol=1e-6)
    np.testing.assert_array_equal(adapted.embed_query(CHINESE), inner.embed_query(CHINESE))
    np.testing.assert_array_equal(adapted.embed_passages([ENGLISH]), inner.embed_passages([ENGLISH]))
    assert adapted.fingerprint == inner.fingerprint, "passages keep their vectors"
    none = AdaptedEmbedder(inner, lambda: None)
    np.testing.assert_array_equal(none.embed_query(ENGLISH), plain)


def candidates(dense: list[float]) -> Candidates:
    ids = np.arange(len(dense))
    stats = QueryStats(len(dense), 0.5, 0.1, 10.0, 2, 2)
    lexical = np.linspace(0, 5, len(dense))
    langs = np.full(len(dense), "en")
    return Candidates(ids, ids, np.array(dense, np.float32), lexical, langs, stats, 1, 1, {})


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=20))
def test_cosines_are_brought_to_scale_and_the_order_stays(dense: list[float]) -> None:
    found, moving = candidates(dense), adapter()
    embedder = AdaptedEmbedder(FakeEmbedder(), lambda: moving)
    scaled = comparable(embedder, ENGLISH, found)
    np.testing.assert_allclose(scaled.dense, 1.5 * found.dense - 0.4, atol=1e-6)
    query = Query(terms=[], vector=None, lang="en")
    np.testing.assert_allclose(fuse(scaled, query), fuse(found, query), atol=1e-4)
    assert comparable(embedder, CHINESE, found) is found
    assert comparable(FakeEmbedder(), ENGLISH, found) is found


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.adapter"
    write(path, adapter(("en", "zh")))
    found = read(path, "fake-embedder")
    np.testing.assert_array_equal(found.map, adapter().map)
    assert (found.langs, found.scale, found.offset, found.learnt) == (("en", "zh"), 1.5, -0.4, {"questions": 30})
    assert [p.name for p in path.parent.iterdir()] == ["a.adapter"]


@given(data=st.data())
def test_a_torn_or_changed_file_is_refused_by_name(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("adapter") / "a.adapter"
    write(path, adapter())
    whole = path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    torn = data.draw(st.sampled_from([whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :], whole + b"x"]))
    path.write_bytes(torn)
    with pytest.raises(Misconfigured, match=r"a\.adapter.*is refused"):
        read(path, "fake-embedder")


def test_an_old_or_foreign_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.adapter"
    write(path, adapter(fingerprint="other"))
    with pytest.raises(Misconfigured, match=r"another embedder \(fingerprint other\)"):
        read(path, "fake-embedder")
    path.write_bytes(path.read_bytes().replace(b"adapter 1 ", b"adapter 0 ", 1))
    with pytest.raises(Misconfigured, match="it has version 0, this program reads 1"):
        read(path, "other")


def test_the_file_is_followed_and_what_is_refused_is_ignored_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    current = AdapterFile(tmp_path, "fake-embedder")
    assert current() is None
    write(current.path, adapter())
    first = current()
    assert first is not None
    assert current() is first, "it is read once"
    write(current.path, adapter(("zh",), seed=1))
    second = current()
    assert second is not None
    assert second.langs == ("zh",)
    current.path.write_bytes(b"nonsense")
    with caplog.at_level(logging.WARNING):
        assert [current(), current()] == [None, None]
    assert len(caplog.records) == 1
    assert str(current.path) in caplog.text
    current.path.unlink()
    assert current() is None
