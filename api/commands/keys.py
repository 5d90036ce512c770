"""kb key: credentials for programs."""

from datetime import timedelta
from typing import Annotated

import typer

from api.commands.common import OPERATOR, DataOption, JsonOption, emit, out, say, settings
from api.services import open_database
from kb import keys, spaces
from kb.models import now

key_app = typer.Typer(help="API keys.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(key_app, name="key")


@key_app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    role: Annotated[str, typer.Option(help="customer, agent, contributor, publisher, coach, editor or admin.")],
    space: Annotated[str | None, typer.Option(help="Key of the space it belongs to.")] = None,
    group: Annotated[list[str] | None, typer.Option(help="Group it belongs to (may be repeated).")] = None,
    may: Annotated[
        list[str] | None,
        typer.Option(help="What it may be used for: read, events, write, ingest, admin; repeatable (default: all)."),
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="Days until it expires (default: never).")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. It is shown once and kept only as a hash."""
    with open_database(settings(data)).write() as session:
        secret = keys.add(
            session,
            name,
            role,
            space_id=spaces.by_key(session, space).id if space else None,
            actor=OPERATOR,
            groups=group or (),
            permissions=may or None,
            expires_at=now() + timedelta(days=days) if days else None,
        )
    if as_json:
        emit({"name": name, "key": secret})
    else:
        say("Keep it now; it cannot be shown again. Send it as: Authorization: Bearer KEY")
        out.print(secret, highlight=False)


@key_app.command("list")
def listing(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the keys (never their secrets)."""
    with open_database(settings(data)).read() as session:
        rows = [
            {
                "name": key.name,
                "role": key.role,
                "groups": key.groups,
                "may": key.permissions,
                "created_at": key.created_at,
                "expires_at": key.expires_at,
                "revoked_at": key.revoked_at,
            }
            for key in keys.listing(session, actor=OPERATOR)
        ]
    if as_json:
        emit({"keys": rows})
        return
    for row in rows:
        state = "revoked" if row["revoked_at"] else "open"
        out.print(f"{row['name']}  {row['role']}  {state}", markup=False, highlight=False)


@key_app.command("revoke")
def revoke(name: Annotated[str, typer.Argument()], data: DataOption = None) -> None:
    """Close a key at once."""
    with open_database(settings(data)).write() as session:
        keys.revoke(session, name, actor=OPERATOR)
    out.print(f"revoked {name}", markup=False, highlight=False)
