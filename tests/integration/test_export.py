"""Preparing a model end to end with torch, in processes of its own; then serving it without."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kb.errors import Misconfigured
from retrieval.embed import load_embedder
from retrieval.embedding import catalogue, e5_weights
from retrieval.embedding.prepared import METADATA, OUT, ensure, read
from tests.models import tiny_weights

ROOT = Path(__file__).parents[2]

WITH_ANOTHER_GATE = """
import sys
import retrieval.export as export
export.PARITY = float(sys.argv[1])
sys.exit(export.main(*sys.argv[2:]))
"""

SERVE = """
import json, sys
from pathlib import Path
from retrieval.embed import load_embedder
embedder = load_embedder(sys.argv[1], Path(sys.argv[2]), 1)
vector = embedder.embed_query("refund")
embedder.embed_passages(["refund"])
loaded = [name for name in ("torch", "transformers", "sentence_transformers", "onnx") if name in sys.modules]
print(json.dumps([vector.tolist(), loaded]))
"""

REFERENCE = """
import json, sys, warnings
warnings.simplefilter("ignore")
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(sys.argv[1], device="cpu")
print(json.dumps(model.encode(json.loads(sys.argv[2]), normalize_embeddings=True).tolist()))
"""


def python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small BERT with random weights, as sentence-transformers keeps it."""
    place = tmp_path_factory.mktemp("model")
    tiny_weights(place / "tiny.bin")
    e5_weights.write_model(place / "tiny.bin", place / "tiny-e5")
    return place / "tiny-e5"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Path:
    place = tmp_path_factory.mktemp("cache")
    ensure(catalogue.find(str(folder)), place)
    return place


def test_a_model_in_a_folder_is_prepared_and_says_how(folder: Path, cache: Path) -> None:
    source = catalogue.find(str(folder))
    made = read(cache / source.recipe.fingerprint)
    assert made is not None
    assert (made.dim, made.max_tokens, made.pad_id) == (64, 40, 1)
    about = json.loads((made.folder / METADATA).read_text(encoding="utf-8"))
    assert about["parity"]["texts"] == 200
    assert about["parity"][about["precision"]]["mean"] >= 0.99
    assert {"load", "export", "quantise", "parity"} == set(about["seconds"])
    assert about["versions"]["torch"]
    assert [path.name for path in cache.iterdir() if path.name.startswith(".")] == []


def test_it_is_served_without_torch(folder: Path, cache: Path) -> None:
    found = python(SERVE, folder, cache)
    assert found.returncode == 0, found.stderr
    vector, loaded = json.loads(found.stdout)
    assert loaded == []
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_vectors_are_near_those_of_sentence_transformers(folder: Path, cache: Path) -> None:
    texts = ["refund", "退款 密码", "a rose", "to the store " * 40]
    found = python(REFERENCE, folder, json.dumps(texts))
    assert found.returncode == 0, found.stderr
    vectors = load_embedder(str(folder), cache).embed_passages(texts)
    assert ((vectors * np.array(json.loads(found.stdout))).sum(axis=1) > 0.97).all()


def test_full_precision_is_taken_where_int8_fails_the_gate(folder: Path, tmp_path: Path) -> None:
    found = python(WITH_ANOTHER_GATE, 0.99999, folder, tmp_path)
    assert found.returncode == 0, found.stderr
    about = json.loads((tmp_path / OUT / METADATA).read_text(encoding="utf-8"))
    assert about["precision"] == "float32"
    assert about["parity"]["int8"]["mean"] < 0.99999 <= about["parity"]["float32"]["mean"]
    assert read(tmp_path / OUT) is not None


def test_a_model_that_fails_the_gate_altogether_is_refused(folder: Path, tmp_path: Path) -> None:
    found = python(WITH_ANOTHER_GATE, 1.5, folder, tmp_path)
    assert found.returncode == 2
    assert "not the same model: cosine 1.0" in json.loads(found.stdout.splitlines()[-1])["misconfigured"]
    assert not (tmp_path / OUT).exists()


def test_a_model_that_cannot_be_loaded_is_named_with_the_way_out(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "model.safetensors").write_bytes(b"no tensors")
    (broken / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(Misconfigured, match=r"broken' cannot be used: .*set KB_EMBEDDER to e5-small"):
        load_embedder(str(broken), tmp_path / "cache")
