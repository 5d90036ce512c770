"""Settings are read from KB_*, unknown names are refused, each is documented."""

import re
import traceback
from pathlib import Path

import pytest

from kb.errors import Misconfigured
from kb.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]


def test_defaults_and_overrides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KB_PORT", "9999")
    monkeypatch.setenv("KB_DATA", "elsewhere")
    assert load_settings().data == Path("elsewhere")
    loaded = load_settings(tmp_path)
    assert (loaded.port, loaded.data, loaded.host) == (9999, tmp_path, "127.0.0.1")
    assert loaded.sqlalchemy_url == f"sqlite:///{tmp_path}/kb.sqlite3"


def test_an_unknown_name_is_refused_with_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KB_EMBEDER", "x")
    with pytest.raises(Misconfigured, match=r"'KB_EMBEDER': did you mean KB_EMBEDDER\?"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"), [("KB_PORT", "many"), ("KB_PORT", "70000"), ("KB_LOG_LEVEL", "loud"), ("KB_SITE_LANGUAGE", "xx")]
)
def test_a_bad_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(Misconfigured, match=f"{name} cannot be '{value}'"):
        load_settings()


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    documented = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `KB_")]
    assert documented == [f"KB_{name}".upper() for name in Settings.model_fields]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KB_LLM_BASE_URL", "localhost:8000"),
        ("KB_LLM_BASE_URL", "ftp://127.0.0.1"),
        ("KB_LLM_BASE_URL", "http://[::1"),
        ("KB_LLM_OPTIONS", "[1]"),
        ("KB_LLM_OPTIONS", '{"stream": false}'),
        ("KB_LLM_TIMEOUT", "0"),
    ],
)
def test_what_a_language_model_cannot_be_reached_with_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(Misconfigured, match=f"{name} cannot be {re.escape(repr(value))}"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [("KB_LLM_API_KEY", "sk-secret\nX-Other: 1"), ("KB_LLM_BASE_URL", "http://me:sk-secret@127.0.0.1/v1")],
)
def test_a_secret_is_not_in_the_error(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(Misconfigured, match=name) as raised:
        load_settings()
    told = "".join(traceback.format_exception(raised.value))
    assert "sk-secret" not in told


def test_a_key_is_not_shown_with_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KB_LLM_API_KEY", "sk-secret")
    loaded = load_settings()
    assert "sk-secret" not in repr(loaded) + str(loaded.model_dump())
    assert loaded.llm_api_key is not None
    assert loaded.llm_api_key.get_secret_value() == "sk-secret"
