"""All settings: one model, prefix KB_, unknown KB_ names refused. docs/settings.md documents each (a test checks)."""

import difflib
import os
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from kb.errors import Misconfigured, shown


def _cache_home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "answerwell"


class Settings(BaseSettings):
    """Where things are and how they run. Values come from the environment; the command line may override `data`."""

    model_config = SettingsConfigDict(env_prefix="KB_", extra="forbid", frozen=True)

    data: Path = Field(default=Path("answerwell-data"), description="Data folder: database, index, uploads.")
    database_url: str | None = Field(
        default=None, description="SQLAlchemy URL of the database of record; default: SQLite in the data folder."
    )
    cache: Path = Field(default_factory=_cache_home, description="Folder of prepared embedding models.")
    embedder: str = Field(
        default="e5-small",
        min_length=1,
        description="Embedding model: e5-small, minilm, or a sentence-transformers hub id or folder.",
    )
    threads: int | None = Field(default=None, ge=1, le=256, description="Threads of the embedder; default: all cores.")
    passage_tokens: int = Field(default=400, ge=64, le=4096, description="Most tokens of a passage.")
    vectors: Literal["fp16", "sq8"] = Field(
        default="fp16",
        description="How vectors are scanned: fp16, exactly; sq8, by 8-bit codes in half the memory.",
    )
    answer_risk: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="Share of wrong answers that is borne: lower answers less often; between, questions are offered.",
    )
    answerable: float = Field(
        default=0.8, gt=0, lt=1, description="Share of the questions asked that this knowledge base has an answer to."
    )
    reranker: str | None = Field(
        default=None,
        min_length=1,
        description="Cross-encoder of sentence-transformers, hub id or folder; default: none.",
    )
    rerank_top: int = Field(default=20, ge=1, le=100, description="Items that the reranker orders anew.")
    rerank_ms: int = Field(default=2000, ge=1, le=60_000, description="Most that it may take for a question, in ms.")
    host: str = Field(default="127.0.0.1", description="Address that `kb serve` binds to.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port that `kb serve` binds to; 0: any free one.")
    workers: int = Field(default=1, ge=1, le=64, description="Processes that `kb serve` answers with.")
    site_name: str = Field(default="Answerwell", min_length=1, max_length=80, description="Name on the pages.")
    site_language: Literal["en", "zh"] = Field(
        default="en", description="Language of the pages where the reader's browser names neither en nor zh."
    )
    support_url: str | None = Field(default=None, description="Where 'contact support' leads; default: no link.")
    community_url: str | None = Field(default=None, description="Where 'ask the community' leads; default: no link.")
    upload_bytes: int = Field(default=64 * 1024 * 1024, ge=1024, description="Largest upload to /v1/ingest, in bytes.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level logged.")
    log_format: Literal["text", "json"] = Field(default="text", description="Form of log lines on standard error.")
    shared_data: Path | None = Field(
        default=None, description="Folder of judged sets and real exports; used by tests and evaluation only."
    )

    @property
    def sqlalchemy_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data.absolute() / 'kb.sqlite3'}"

    @property
    def index_folder(self) -> Path:
        return self.data / "index"

    @property
    def adapters_folder(self) -> Path:
        """What was learnt from use: an adapter for each embedder that has one."""
        return self.data / "adapters"

    @property
    def judged_folder(self) -> Path:
        """Judged questions that a change of generation must pass, where there are any."""
        return self.data / "judged"


def load_settings(data: Path | None = None) -> Settings:
    """Read the settings from the environment; `data` overrides KB_DATA.

    Raises Misconfigured for an unknown KB_ name or a value that cannot be used, naming it and the way out.
    """
    known = {f"KB_{name}".upper() for name in Settings.model_fields}
    for name in sorted(os.environ):
        if name.upper().startswith("KB_") and name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), known, n=1)
            hint = f"did you mean {near[0]}?" if near else "unset it; docs/settings.md lists the settings"
            raise Misconfigured(f"there is no setting {shown(name)}: {hint}")
    try:
        return Settings() if data is None else Settings(data=data)
    except ValidationError as error:
        first = error.errors()[0]
        name = "KB_" + "_".join(str(part) for part in first["loc"]).upper()
        raise Misconfigured(
            f"the setting {name} cannot be {shown(first['input'])}: {first['msg'].lower()}; see docs/settings.md"
        ) from error
