"""The pages of admins: people with their roles, and the audit log."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from sqlmodel import Session

from api import letters
from api.deps import AdminDep
from api.web import Page, forms
from kb import accounts, audit, outbox, spaces
from kb.access import Principal, Role
from kb.errors import Conflict, Forbidden, InvalidInput, KBError, NotFound
from kb.models import Account, LetterKind, Space

router = APIRouter(include_in_schema=False)

PER_PAGE = 100
ROLES = tuple(role.value for role in Role if role is not Role.ANONYMOUS)
EVERYWHERE = "*"
"""What a form says for no space in particular: a space's key has letters and digits."""

Text = Annotated[str, Form()]


@router.get("/people")
def people_page(request: Request, reader: AdminDep, after: str = "") -> Response:
    page = Page(request)
    if reader.subject is None:
        return page.sign_in()
    return _people(page, reader, after=after)


@router.post("/people")
def change(
    request: Request,
    reader: AdminDep,
    action: Text,
    email: Text = "",
    name: Text = "",
    role: Text = "",
    space: Text = EVERYWHERE,
    groups: Text = "",
) -> Response:
    """Do to an account what the button pressed says. A link that it makes is mailed, or shown once on this page."""
    page = Page(request)
    try:
        with page.services.db.write() as session:
            secret = _do(session, reader, action, email, name, role, space, groups)
            kind = LetterKind.RESET if action == "reset" else LetterKind.INVITATION
            mailed = secret is not None and letters.post_link(
                session, accounts.get(session, email), kind, settings=page.services.settings, actor=reader
            )
    except (InvalidInput, Conflict, Forbidden, NotFound) as error:
        return _people(page, reader, problem=error)
    if secret is None:
        return RedirectResponse(page.url("/people"), 303)
    return _people(page, reader, link="" if mailed else page.absolute(f"/welcome/{secret}"), of=email, mailed=mailed)


@router.get("/audit")
def audit_page(request: Request, reader: AdminDep, target: str = "", actor: str = "", before: str = "") -> Response:
    page = Page(request)
    if reader.subject is None:
        return page.sign_in()
    with page.services.db.read() as session:
        rows = audit.rows(
            session,
            reader,
            target=target.strip() or None,
            actor=actor.strip() or None,
            before_id=forms.number(before, 18),
            limit=PER_PAGE + 1,
        )
        names = {one.id: one.name for one in spaces.all_spaces(session)}
    more = len(rows) > PER_PAGE
    return page.render(
        "audit.html",
        rows=rows[:PER_PAGE],
        places=names,
        target=target[:250],
        actor=actor[:200],
        later=page.url("/audit", target=target, actor=actor, before=rows[PER_PAGE - 1].id) if more else None,
    )


def _do(
    session: Session, reader: Principal, action: str, email: str, name: str, role: str, space: str, groups: str
) -> str | None:
    """Return the secret of the link that the action makes, None where it makes none."""
    reader.require(Role.ADMIN, "change accounts")
    where = None if space == EVERYWHERE else spaces.by_key(session, space).id
    if action == "add":
        given = forms.separated(groups, ",，")
        return accounts.add(session, email, actor=reader, name=name, role=role, space_id=where, groups=given)[1]
    account = accounts.visible(session, email, actor=reader)
    if action == "invite":
        return accounts.invite(session, account, actor=reader)
    if action == "reset":
        return accounts.reset(session, account, actor=reader)
    if action == "grant":
        accounts.grant(session, account, role, where, actor=reader)
    elif action == "revoke":
        accounts.revoke(session, account, where, actor=reader)
    elif action == "groups":
        accounts.set_groups(session, account, forms.separated(groups, ",，"), actor=reader)
    elif action == "disable":
        accounts.disable(session, account, actor=reader)
    elif action == "enable":
        accounts.enable(session, account, actor=reader)
    else:
        raise InvalidInput("this button is not known; reload the page", field="action")
    return None


def _people(
    page: Page,
    reader: Principal,
    *,
    after: str = "",
    problem: KBError | None = None,
    link: str = "",
    of: str = "",
    mailed: bool = False,
) -> Response:
    with page.services.db.read() as session:
        mine = reader.spaces_of(session, Role.ADMIN)
        found = accounts.listing(session, actor=reader, after=forms.number(after, 9) or 0, limit=PER_PAGE + 1)
        every = spaces.all_spaces(session)
        keys = {one.id: one for one in every}
        rows = [_row(session, account, mine, keys) for account in found[:PER_PAGE]]
        mail = outbox.standing(session) if mine is None and page.services.postman is not None else None
    return page.render(
        "people.html",
        status=problem.status if problem is not None else 200,
        rows=rows,
        spaces=[one for one in every if mine is None or one.id in mine],
        everywhere=EVERYWHERE if mine is None else None,
        roles=ROLES,
        problem=page.words("people_problem", detail=problem.message) if problem is not None else "",
        link=link,
        of=of,
        mailed=mailed,
        mail=mail if mail is not None and (mail.late or mail.given_up) else None,
        later=page.url("/people", after=found[PER_PAGE - 1].id) if len(found) > PER_PAGE else None,
    )


def _row(
    session: Session, account: Account, mine: frozenset[int] | None, keys: dict[int | None, Space]
) -> tuple[Account, list[tuple[str, str, str]]]:
    """Return an account with (role, key and name of the space) of those roles that the admin may know of."""
    grants: list[tuple[str, str, str]] = []
    for grant in accounts.known(session, account).grants:
        if mine is None or grant.space in mine:
            space = keys.get(grant.space)
            grants.append((grant.role.value, space.key if space else EVERYWHERE, space.name if space else ""))
    return account, grants
