"""kb account and kb audit: who may sign in, what they may do, and who changed what."""

from typing import Annotated

import typer
from sqlmodel import Session

from api.commands.common import OPERATOR, DataOption, JsonOption, emit, out, say, settings
from api.services import open_database
from kb import accounts, audit, spaces
from kb.models import Account
from kb.settings import Settings

account_app = typer.Typer(help="Accounts of people.", no_args_is_help=True)

EmailArgument = Annotated[str, typer.Argument(metavar="EMAIL")]
SpaceOption = Annotated[
    str | None, typer.Option(help="Key of the space (default: everywhere; a customer: in the root).")
]
RoleArgument = Annotated[str, typer.Argument(help="customer, agent, contributor, publisher, coach, editor or admin.")]


def register(app: typer.Typer) -> None:
    app.add_typer(account_app, name="account")
    app.command("audit")(audit_log)


@account_app.command("add")
def add(
    email: EmailArgument,
    role: RoleArgument,
    name: Annotated[str, typer.Option(help="The person's name.")] = "",
    space: SpaceOption = None,
    group: Annotated[list[str] | None, typer.Option(help="Group, or plan:gold; repeatable.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an account and print its invitation: a link by which the person chooses a password."""
    loaded = settings(data)
    with open_database(loaded).write() as session:
        account, secret = accounts.add(
            session,
            email,
            actor=OPERATOR,
            name=name,
            role=role,
            space_id=_space(session, space),
            groups=group or (),
        )
        shown = account.email
    _link(loaded, shown, secret or "", as_json)


@account_app.command("list")
def listing(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the accounts with their roles."""
    rows: list[dict[str, object]] = []
    with open_database(settings(data)).read() as session:
        names = {space.id: space.key for space in spaces.all_spaces(session)}
        after = 0
        while found := accounts.listing(session, actor=OPERATOR, after=after):
            rows += [_described(session, account, names) for account in found]
            after = int(found[-1].id or 0)
    if as_json:
        emit({"accounts": rows})
        return
    for row in rows:
        out.print(f"{row['email']}  {row['state']}  {row['roles']}", markup=False, highlight=False)


@account_app.command("grant")
def grant(email: EmailArgument, role: RoleArgument, space: SpaceOption = None, data: DataOption = None) -> None:
    """Give an account a role in a space and below it, instead of the one it had there."""
    with open_database(settings(data)).write() as session:
        account = accounts.get(session, email)
        accounts.grant(session, account, role, _space(session, space), actor=OPERATOR)
    out.print(f"{account.email} is {role} {_where(space)}", markup=False, highlight=False)


@account_app.command("revoke")
def revoke(email: EmailArgument, space: SpaceOption = None, data: DataOption = None) -> None:
    """Take an account's role in a space away."""
    with open_database(settings(data)).write() as session:
        account = accounts.get(session, email)
        accounts.revoke(session, account, _space(session, space), actor=OPERATOR)
    out.print(f"{account.email} has no role of its own {_where(space)}", markup=False, highlight=False)


@account_app.command("groups")
def groups(
    email: EmailArgument,
    group: Annotated[list[str] | None, typer.Argument(help="All its groups and entitlements; none takes them.")] = None,
    data: DataOption = None,
) -> None:
    """Say which groups and entitlements an account has."""
    with open_database(settings(data)).write() as session:
        account = accounts.get(session, email)
        accounts.set_groups(session, account, group or (), actor=OPERATOR)
    out.print(f"{account.email}: {', '.join(account.groups) or 'no groups'}", markup=False, highlight=False)


@account_app.command("disable")
def disable(email: EmailArgument, data: DataOption = None) -> None:
    """Let an account sign in no more, at once and everywhere. What it did stays."""
    with open_database(settings(data)).write() as session:
        accounts.disable(session, accounts.get(session, email), actor=OPERATOR)
    out.print(f"disabled {email}", markup=False, highlight=False)


@account_app.command("enable")
def enable(email: EmailArgument, data: DataOption = None) -> None:
    """Let a disabled account sign in again."""
    with open_database(settings(data)).write() as session:
        accounts.enable(session, accounts.get(session, email), actor=OPERATOR)
    out.print(f"enabled {email}", markup=False, highlight=False)


@account_app.command("invite")
def invite(email: EmailArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Print a new invitation; the earlier one opens nothing any more."""
    loaded = settings(data)
    with open_database(loaded).write() as session:
        secret = accounts.invite(session, accounts.get(session, email), actor=OPERATOR)
    _link(loaded, email, secret, as_json)


@account_app.command("reset")
def reset(email: EmailArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Print a link by which a person chooses another password."""
    loaded = settings(data)
    with open_database(loaded).write() as session:
        secret = accounts.reset(session, accounts.get(session, email), actor=OPERATOR)
    _link(loaded, email, secret, as_json)


def audit_log(
    target: Annotated[str | None, typer.Argument(help="Only of this: KB-1042, an e-mail address, key:NAME.")] = None,
    actor: Annotated[str | None, typer.Option(help="Only by this person or key.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most rows.")] = 100,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print who changed which right or item, newest first."""
    with open_database(settings(data)).read() as session:
        found = audit.rows(session, OPERATOR, target=target, actor=actor, limit=limit)
    if as_json:
        emit({"rows": [row.model_dump(mode="json") for row in found]})
        return
    for row in found:
        change = " ".join(
            f"{name}: {row.before.get(name, '-')} -> {row.after.get(name, '-')};"
            for name in sorted(row.before.keys() | row.after.keys())
        )
        line = f"{row.at:%Y-%m-%d %H:%M:%S}  {row.actor or '-'}  {row.action}  {row.target}  {change}"
        out.print(line.rstrip("; "), markup=False, highlight=False, soft_wrap=True)


def welcome_link(loaded: Settings, secret: str, address: str | None = None) -> str:
    """Return a link for people. `address`: where this process serves, if it does; a setting goes before it."""
    base = loaded.public_url or address or f"http://{loaded.host}:{loaded.port}"
    return f"{base.rstrip('/')}/welcome/{secret}"


def _link(loaded: Settings, email: str, secret: str, as_json: bool) -> None:
    link = welcome_link(loaded, secret)
    if as_json:
        emit({"email": email, "link": link})
    else:
        say(f"For {email}, and for nobody else; it opens once:")
        out.print(link, markup=False, highlight=False, soft_wrap=True)


def _space(session: Session, key: str | None) -> int | None:
    return spaces.by_key(session, key).id if key is not None else None


def _where(space: str | None) -> str:
    return f"in {space}" if space is not None else "everywhere"


def _described(session: Session, account: Account, names: dict[int | None, str]) -> dict[str, object]:
    grants = accounts.known(session, account).grants
    return {
        "email": account.email,
        "name": account.name,
        "state": account.state.value,
        "groups": account.groups,
        "roles": ", ".join(f"{grant.role} {_where(names.get(grant.space))}" for grant in grants),
        "signed_in_at": account.signed_in_at,
    }
