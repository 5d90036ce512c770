"""A Stack Exchange data dump: each question with its accepted answer, else its best one, as one item.

Who asked and answered is not read: no document holds a person's name.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ingest import xml_stream
from ingest.document import Document, Failure, Limits, ReadOptions
from ingest.fields import moment
from ingest.html import from_html
from ingest.parse import image_warnings, tidy
from ingest.records import checked, one_line
from kb.errors import InvalidInput, KBError, UnreadableSource, shown

_POSTS = "Posts.xml"
_QUESTION, _ANSWER = "1", "2"
_KINDS = ("answer", "case")


@dataclass(slots=True)
class _Chosen:
    """Which answer stands for a question: the accepted one, else the best scored above 0, the older of equals."""

    accepted: dict[str, str] = field(default_factory=dict)
    best: dict[str, tuple[int, str]] = field(default_factory=dict)
    present: set[str] = field(default_factory=set)

    def look(self, row: dict[str, str]) -> None:
        if row.get("PostTypeId") == _QUESTION and "AcceptedAnswerId" in row:
            self.accepted[row.get("Id", "")] = row["AcceptedAnswerId"]
        elif row.get("PostTypeId") == _ANSWER:
            self.present.add(row.get("Id", ""))
            score = int(row["Score"]) if row.get("Score", "").lstrip("-").isdecimal() else 0
            question = row.get("ParentId", "")
            if score > max(0, self.best.get(question, (0, ""))[0]):
                self.best[question] = (score, row.get("Id", ""))

    def answer(self, question: str) -> str | None:
        accepted = self.accepted.get(question)
        # A dump may lack an accepted answer that was deleted or lies beyond its end.
        return accepted if accepted in self.present else self.best.get(question, (0, None))[1]


class StackExchangeSource:
    """Reads a folder with Posts.xml, or the Posts.xml itself. Questions without a fit answer say nothing to others."""

    name = "stackexchange"

    def recognises(self, path: Path) -> bool:
        return (path / _POSTS).is_file() if path.is_dir() else path.name == _POSTS and path.is_file()

    def read(self, path: Path, options: ReadOptions) -> Iterator[Document | Failure]:
        """Yield a document a question that has an accepted or positively scored answer.

        Two passes: one to choose the answers, one to read them. `options.kind`: `answer` (the default) or `case`.
        Raises InvalidInput for another kind, TooLarge or UnreadableSource for the file.
        """
        if options.kind not in (None, *_KINDS):
            raise InvalidInput(
                f"a question becomes one of {', '.join(_KINDS)}, not {shown(options.kind)}", field="kind"
            )
        posts = path / _POSTS if path.is_dir() else path
        chosen = _Chosen()
        for row in _rows(posts, options.limits):
            chosen.look(row)
        questions: dict[str, dict[str, str]] = {}
        answers: dict[str, dict[str, str]] = {}
        for row in _rows(posts, options.limits):
            number, kind = row.get("Id", ""), row.get("PostTypeId")
            if kind == _QUESTION and chosen.answer(number):
                questions[number] = row
            elif kind == _ANSWER and chosen.answer(row.get("ParentId", "")) == number:
                answers[row.get("ParentId", "")] = row
                number = row.get("ParentId", "")
            else:
                continue
            # Dumps are in order of id, so the question is there when its answer comes; a shuffled file works too.
            if number in questions and number in answers:
                try:
                    yield _document(questions.pop(number), answers.pop(number), options)
                except KBError as error:
                    yield Failure(f"{options.place(posts)}:{number}", error.message)


def _rows(posts: Path, limits: Limits) -> Iterator[dict[str, str]]:
    """Yield the attributes of each row, as a stream."""
    for element in xml_stream.elements(posts, limits, frozenset(["row"])):
        yield dict(element.attrib)


def _document(question: dict[str, str], answer: dict[str, str], options: ReadOptions) -> Document:
    title = one_line(question.get("Title", ""))
    issue, resolution = (tidy(from_html(row.get("Body", "")).markdown) for row in (question, answer))
    if not title or not resolution:
        raise UnreadableSource(f"the question {shown(question.get('Id'))} lacks a title or the text of its answer")
    return checked(
        Document(
            external_id=question["Id"],
            title=title[:500],
            issue=issue,
            resolution=resolution,
            kind=options.kind or "answer",
            topics=_tags(question.get("Tags", "")),
            updated=moment(answer.get("LastEditDate") or answer.get("CreationDate")),
            warnings=image_warnings(f"{issue}\n{resolution}"),
        ),
        options,
    )


def _tags(tags: str) -> tuple[str, ...]:
    """Return the tags of `<a><b>` (dumps until 2024) or `|a|b|` (since)."""
    return tuple(tag for tag in tags.replace("><", "|").strip("<>|").split("|") if tag)
