"""kb answers: fixed answers, from the command line."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from api.commands.common import OPERATOR, DataOption, JsonOption, emit, out, settings
from api.schemas import FixedAnswerIn, fixed_answer_out
from api.services import open_database
from kb import editorial, fixed, spaces
from kb import review as reviews
from kb.access import scope_of
from kb.content import choice
from kb.errors import InvalidInput, NotFound, shown
from kb.models import State, now

answers_app = typer.Typer(
    help="Fixed answers: written for a question, returned as they are, until they expire.", no_args_is_help=True
)

ItemArgument = Annotated[str, typer.Argument(metavar="KB-N", help="Number of the fixed answer.")]
ReviewOption = Annotated[str | None, typer.Option("--review", metavar="DAY", help="Due for review on this day.")]
ExpiresOption = Annotated[str | None, typer.Option("--expires", metavar="DAY", help="Not returned from this day on.")]


def register(app: typer.Typer) -> None:
    app.add_typer(answers_app, name="answers")


@answers_app.command("add")
def add(
    question: Annotated[str, typer.Argument(metavar="QUESTION")],
    answer: Annotated[Path, typer.Argument(metavar="FILE", help="Markdown of the answer; - reads standard input.")],
    wording: Annotated[list[str] | None, typer.Option(help="A further wording (may be repeated).")] = None,
    lang: Annotated[str, typer.Option(help="Language of question and answer.")] = "en",
    audience: Annotated[str, typer.Option(help="internal, partner, customer or public.")] = "internal",
    group: Annotated[list[str] | None, typer.Option(help="Only for this group (may be repeated).")] = None,
    space: Annotated[str | None, typer.Option(help="Key of the space it holds in.")] = None,
    review: ReviewOption = None,
    expires: ExpiresOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write an answer and submit it for review. It is returned once it is approved."""
    given = FixedAnswerIn(
        question=question,
        answer=_text(answer),
        wordings=wording or [],
        lang=lang,
        audience=audience,
        groups=group or [],
    )
    with open_database(settings(data)).write() as session:
        item, _ = editorial.create(
            session,
            given.content(),
            given.profile(),
            actor=OPERATOR,
            space_id=spaces.by_key(session, space).id if space else None,
        )
        reviews.submit(session, item, actor=OPERATOR, review_at=_day(review), expires_at=_day(expires))
        row = fixed_answer_out(session, fixed.listed(session, item)).model_dump()
    _tell(row, as_json, f"{row['item']} is in review; approve it with: kb answers approve {row['item']}")


@answers_app.command("submit")
def submit(
    item: ItemArgument,
    review: ReviewOption = None,
    expires: ExpiresOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Submit the newest revision for review, again too: that is how an answer is kept beyond its expiry."""
    with open_database(settings(data)).write() as session:
        found = fixed.get(session, item, scope_of(session, OPERATOR))
        reviews.submit(session, found, actor=OPERATOR, review_at=_day(review), expires_at=_day(expires))
        row = fixed_answer_out(session, fixed.listed(session, found)).model_dump()
    _tell(row, as_json, f"{row['item']} is in review; approve it with: kb answers approve {row['item']}")


@answers_app.command("approve")
def approve(item: ItemArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Approve what is in review: from now on it is the answer to its questions."""
    with open_database(settings(data)).write() as session:
        found = fixed.get(session, item, scope_of(session, OPERATOR))
        reviews.approve(session, found, actor=OPERATOR)
        row = fixed_answer_out(session, fixed.listed(session, found)).model_dump()
    own = " (by its own author)" if row["review"]["by_author"] else ""
    _tell(row, as_json, f"{row['item']} is published{own}")


@answers_app.command("retire")
def retire(item: ItemArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Return an answer no longer, keeping all of it."""
    with open_database(settings(data)).write() as session:
        found = fixed.get(session, item, scope_of(session, OPERATOR))
        editorial.retire(session, found, actor=OPERATOR)
        row = fixed_answer_out(session, fixed.listed(session, found)).model_dump()
    _tell(row, as_json, f"{row['item']} is retired")


@answers_app.command("list")
def listing(
    state: Annotated[str | None, typer.Option(help="draft, in_review, published or retired.")] = None,
    due: Annotated[
        str | None, typer.Option(metavar="DAY", help="Only those due for review, or expiring, by this day; or: today.")
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List fixed answers, those due for review soonest first."""
    with open_database(settings(data)).read() as session:
        found = fixed.listing(
            session,
            scope_of(session, OPERATOR),
            actor=OPERATOR,
            state=choice(State, state, "--state") if state is not None else None,
            due=now() if due == "today" else _day(due),
            limit=10_000,
        )
        rows = [fixed_answer_out(session, row).model_dump() for row in found]
    if as_json:
        emit({"answers": rows})
        return
    for row in rows:
        state_shown = "expired" if row["expired"] else row["state"]
        dates = f"  review {row['review_at'][:10]}" if row["review_at"] else ""
        dates += f"  expires {row['expires_at'][:10]}" if row["expires_at"] else ""
        line = f"{row['item']}  {state_shown}  {row['lang']}  {row['audience']}{dates}  {row['question']}"
        out.print(line, markup=False, highlight=False, soft_wrap=True)


def _tell(row: dict[str, Any], as_json: bool, sentence: str) -> None:
    if as_json:
        emit(row)
    else:
        out.print(sentence, markup=False, highlight=False, soft_wrap=True)


def _text(path: Path) -> str:
    if str(path) == "-":
        return sys.stdin.read()
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotFound(f"the answer {shown(str(path))} cannot be read: {error}") from error


def _day(text: str | None) -> datetime | None:
    """Return the start of a day in UTC. Raises InvalidInput."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"a day is written such as 2027-03-31, not {shown(text)}") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
