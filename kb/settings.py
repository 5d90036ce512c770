"""All settings: one model, prefix KB_, unknown KB_ names refused. docs/settings.md documents each (a test checks)."""

import difflib
import json
import os
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from kb.errors import Misconfigured, shown
from kb.smtp import MailServer, sender


def _cache_home() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "answerwell"


ANSWER_RISK = 0.1
"""Share of wrong answers that is borne where nothing else is set."""
ANSWERABLE = 0.8
"""Share of the questions asked that have an answer, where nothing else is set."""


class Settings(BaseSettings):
    """Where things are and how they run. Values come from the environment; the command line may override `data`."""

    model_config = SettingsConfigDict(env_prefix="KB_", extra="forbid", frozen=True, hide_input_in_errors=True)

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
        default=ANSWER_RISK,
        gt=0,
        lt=1,
        description="Share of wrong answers that is borne: lower answers less often; between, questions are offered.",
    )
    answerable: float = Field(
        default=ANSWERABLE,
        gt=0,
        lt=1,
        description="Share of the questions asked that this knowledge base has an answer to.",
    )
    reranker: str | None = Field(
        default=None,
        min_length=1,
        description="Cross-encoder of sentence-transformers, hub id or folder; default: none.",
    )
    rerank_top: int = Field(default=20, ge=1, le=100, description="Items that the reranker orders anew.")
    rerank_ms: int = Field(default=2000, ge=1, le=60_000, description="Most that it may take for a question, in ms.")
    llm_base_url: str | None = Field(
        default=None, description="OpenAI-compatible server that writes answers; default: none, answers are extracts."
    )
    llm_model: str | None = Field(default=None, min_length=1, description="Name of the model on that server.")
    llm_api_key: SecretStr | None = Field(default=None, description="Key for that server.")
    llm_timeout: float = Field(default=60.0, gt=0, le=600, description="Most seconds until the end of an answer.")
    llm_first_token: float = Field(
        default=10.0, gt=0, le=600, description="Most seconds to connect, to the first token, and between tokens."
    )
    llm_options: str = Field(
        default='{"temperature": 0, "max_tokens": 700}', description="Further fields of the request, a JSON object."
    )
    entailment_model: str | None = Field(
        default=None,
        min_length=1,
        description="CrossEncoder for NLI that checks citations, a hub id or folder; default: a measured similarity.",
    )
    host: str = Field(default="127.0.0.1", description="Address that `kb serve` binds to.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port that `kb serve` binds to; 0: any free one.")
    workers: int = Field(default=1, ge=1, le=64, description="Processes that `kb serve` answers with.")
    public_url: str | None = Field(
        default=None, description="Address that people reach it by, such as https://help.example.org; for links."
    )
    smtp_url: SecretStr | None = Field(
        default=None, description="Mail server: smtp://user:password@host:587 or smtps://...; default: no e-mail."
    )
    mail_from: str | None = Field(
        default=None, description="Sender of e-mails, such as Help <help@example.org>; needed with KB_SMTP_URL."
    )
    session_days: int = Field(default=14, ge=1, le=365, description="Days after which people sign in anew.")
    site_name: str = Field(default="Answerwell", min_length=1, max_length=80, description="Name on the pages.")
    site_language: Literal["en", "zh"] = Field(
        default="en", description="Language of the pages where the reader's browser names neither en nor zh."
    )
    support_url: str | None = Field(default=None, description="Where 'contact support' leads; default: no link.")
    community_url: str | None = Field(default=None, description="Where 'ask the community' leads; default: no link.")
    upload_bytes: int = Field(default=64 * 1024 * 1024, ge=1024, description="Largest upload to /v1/ingest, in bytes.")
    attachment_bytes: int = Field(
        default=20 * 1024 * 1024, ge=1024, description="Largest image or attachment of an item, in bytes."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level logged.")
    log_format: Literal["text", "json"] = Field(default="text", description="Form of log lines on standard error.")
    shared_data: Path | None = Field(
        default=None, description="Folder of judged sets and real exports; used by tests and evaluation only."
    )

    @field_validator("llm_base_url")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        try:
            parts = urlsplit(value or "http://unset")
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:
            usable = False
        if not usable or parts.query or parts.fragment:
            raise ValueError("an address such as http://127.0.0.1:8000/v1 is needed")
        if parts.username or parts.password:
            raise ValueError("the key does not belong into the address, but into KB_LLM_API_KEY")
        return value

    @field_validator("public_url")
    @classmethod
    def _public(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "http://unset")
        more = parts.query or parts.fragment or parts.username
        if parts.scheme not in ("http", "https") or not parts.hostname or more:
            raise ValueError("an address such as https://help.example.org is needed")
        if parts.path.strip("/"):
            raise ValueError("it is served at the root of its host: an address without a path is needed")
        return value.rstrip("/") if value is not None else None

    @field_validator("smtp_url")
    @classmethod
    def _smtp(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value():
            return None
        MailServer.of(value.get_secret_value())
        return value

    @field_validator("mail_from")
    @classmethod
    def _sender(cls, value: str | None) -> str | None:
        if value is not None:
            sender(value)
        return value

    @field_validator("llm_api_key")
    @classmethod
    def _key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not (value.get_secret_value().isascii() and value.get_secret_value().isprintable()):
            raise ValueError("a key is one line of ASCII characters")
        return value if value is not None and value.get_secret_value() else None

    @field_validator("llm_options")
    @classmethod
    def _options(cls, value: str) -> str:
        try:
            found = json.loads(value)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ValueError('a JSON object such as {"temperature": 0} is needed')
        taken = sorted({"model", "messages", "stream"} & found.keys())
        if taken:
            raise ValueError(f"{taken[0]!r} is set by this program and cannot be among the options")
        return value

    @property
    def llm_fields(self) -> dict[str, Any]:
        """Further fields of a request to the language model."""
        fields: dict[str, Any] = json.loads(self.llm_options)
        return fields

    @property
    def sqlalchemy_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data.absolute() / 'kb.sqlite3'}"

    @property
    def index_folder(self) -> Path:
        return self.data / "index"

    @property
    def files_folder(self) -> Path:
        """Images and attachments, by what they hold."""
        return self.data / "files"

    @property
    def adapters_folder(self) -> Path:
        """What was learnt from use: an adapter for each embedder that has one."""
        return self.data / "adapters"

    @property
    def judged_folder(self) -> Path:
        """Judged questions that a change of generation must pass, where there are any."""
        return self.data / "judged"

    @property
    def judged_folders(self) -> list[Path]:
        """The folder above, if it is there."""
        return [self.judged_folder] if self.judged_folder.is_dir() else []


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
        secret = _secret(first["loc"]) or "@" in str(first["input"])  # an address may hold a password
        value = "what it is" if secret else shown(first["input"])
        raise Misconfigured(
            f"the setting {name} cannot be {value}: {first['msg'].lower()}; see docs/settings.md"
        ) from error


def _secret(loc: tuple[int | str, ...]) -> bool:
    field = Settings.model_fields.get(str(loc[0]).lower()) if loc else None
    return field is not None and SecretStr in (field.annotation, *get_args(field.annotation))
