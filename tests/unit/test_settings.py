"""Settings are read from KB_*, unknown names are refused, each is documented."""

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
