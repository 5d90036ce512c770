"""The values of one record (front matter, a JSONL record, a row of a CSV) by the field of `Document` they belong to."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from ingest.document import ReadOptions
from kb.errors import InvalidInput, shown

_NAMES: dict[str, tuple[str, ...]] = {
    "external_id": ("id", "_id", "key", "number", "article_id", "case_id", "ticket_id", "faq_id", "编号"),
    "title": ("title", "subject", "headline", "name", "标题"),
    "question": ("question", "query", "问题", "問題"),
    "answer": ("answer", "答案", "回答"),
    "body": ("body", "text", "content", "description", "article", "html", "正文", "内容"),
    "issue": ("issue", "problem", "symptom", "symptoms", "what_happened", "现象"),
    "environment": ("environment", "context", "applies_to", "环境"),
    "resolution": ("resolution", "solution", "fix", "recommendation", "recommendations", "解决方法", "解决方案"),
    "cause": ("cause", "root_cause", "driving_event", "原因"),
    "kind": ("kind",),
    "lang": ("lang", "language", "locale", "语言"),
    "audience": ("audience",),
    "confidence": ("confidence",),
    "governance": ("governance",),
    "state": ("state",),
    "family": ("family", "translation_of"),
    "owner": ("owner",),
    "url": ("url", "link", "html_url"),
    "updated": ("updated", "updated_at", "modified", "last_modified", "resolved", "resolved_at", "date"),
    "products": ("products", "product", "产品"),
    "versions": ("versions", "version", "版本"),
    "topics": ("topics", "topic", "category", "categories", "tags", "labels", "section", "分类", "标签"),
    "groups": ("groups", "group"),
    "similar_questions": ("similar_questions", "similar_question", "variants", "相似问题", "相似问法"),
}  # fmt: skip
"""Names under which a field is looked for where no column is given for it, the first that has a value winning."""

COLUMN_FIELDS = frozenset(_NAMES)
"""Fields that `ReadOptions.columns` may name: those of `Document`, and `question` and `answer`."""

TEXTS = ("body", "issue", "environment", "resolution", "cause")
LISTS = ("products", "versions", "topics", "groups")
_EMPTY = ("", "null", "none", "~", "n/a", "nan")
_LIST_BREAK = re.compile(r"[;,|\n、；，]")
_QUESTION_BREAK = re.compile(r"[|\n]")


class Fields:
    """The values of one record by the name of their field."""

    def __init__(self, values: Mapping[str, Any], columns: Mapping[str, str]) -> None:
        self._values = {str(name).strip().casefold(): value for name, value in values.items() if name is not None}
        self._columns = columns

    def value(self, field: str) -> Any:
        """Return the value given for a field, or None."""
        names = (self._columns[field],) if field in self._columns else _NAMES[field]
        found = (self._values.get(name.strip().casefold()) for name in names)
        return next((value for value in found if not _missing(value)), None)

    def has(self, name: str) -> bool:
        """Say whether the record has a value under this very name."""
        return not _missing(self._values.get(name))

    def text(self, field: str) -> str | None:
        """Return the value of a field that is one text, or None. Raises InvalidInput for a list or mapping."""
        value = self.value(field)
        if value is None:
            return None
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str | int | float | date):
            return str(value).strip()
        if field in TEXTS and isinstance(value, list) and all(isinstance(line, str) for line in value):
            return "\n\n".join(value)
        raise InvalidInput(f"{field} is a text, not {shown(value)}", field=field)

    def words(self, field: str) -> tuple[str, ...]:
        """Return the value of a field that is a list of words: a list, or a text with them separated."""
        value = self.value(field)
        if value is None:
            return ()
        pattern = _QUESTION_BREAK if field == "similar_questions" else _LIST_BREAK
        given: Sequence[Any] = value if isinstance(value, list | tuple) else pattern.split(str(value))
        if isinstance(value, Mapping) or any(isinstance(word, list | tuple | Mapping) for word in given):
            raise InvalidInput(f"{field} is a list of words, not {shown(value)}", field=field)
        return tuple(dict.fromkeys(" ".join(str(word).split()) for word in given if not _missing(word)))

    def state(self) -> str | None:
        """Return the publishing state, said as `state: draft` or `draft: true`. Raises InvalidInput for another."""
        said = self.text("state")
        if said is None:
            draft = str(self._values.get("draft") or "").strip().casefold()
            return {"true": "draft", "yes": "draft", "1": "draft"}.get(draft)
        if said.casefold() not in ("draft", "published"):
            raise InvalidInput(f"state is draft or published, not {shown(said)}", field="state")
        return said.casefold()

    def described(self) -> dict[str, Any]:
        """Return what the record says about a document apart from its texts, by field of `Document`.

        Fields it does not mention are left out.
        """
        said = {
            "kind": self.text("kind"),
            "lang": language_tag(self.text("lang")),
            "audience": self.text("audience"),
            "confidence": self.text("confidence"),
            "governance": self.text("governance"),
            "state": self.state(),
            "family": self.text("family"),
            "owner": self.text("owner"),
            "url": self.text("url"),
            "updated": moment(self.value("updated")),
            "similar_questions": self.words("similar_questions"),
            **{field: self.words(field) for field in LISTS},
        }
        return {field: value for field, value in said.items() if value}


def checked_columns(options: ReadOptions) -> None:
    """Raise InvalidInput if a column is given for a field that does not exist."""
    for field in options.columns:
        if field not in COLUMN_FIELDS:
            known = ", ".join(sorted(COLUMN_FIELDS))
            raise InvalidInput(
                f"there is no field {shown(field)} to read a column into; there are {known}", field="columns"
            )


def language_tag(text: str | None) -> str | None:
    """Return the primary language of a BCP 47 tag (`zh-Hans-CN`, `en_US` -> zh, en), or None for what is none."""
    primary = re.match(r"([a-zA-Z]{2,3})(?:[-_]|$)", (text or "").strip())
    return primary[1].lower() if primary else None


def moment(value: Any) -> datetime | None:
    """Return a moment given as ISO 8601 (a date is its first moment; without a zone it is UTC), or None."""
    if value is None or isinstance(value, bool | int | float | list | dict):
        return None
    try:
        # `2026-04-01 16:48:37 -0700` is common in exports and one space from ISO 8601.
        found = datetime.fromisoformat(re.sub(r"\s+([+-]\d\d:?\d\d)$", r"\1", str(value).strip()))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _missing(value: Any) -> bool:
    return value is None or value == [] or (isinstance(value, str) and value.strip().casefold() in _EMPTY)
