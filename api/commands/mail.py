"""kb mail: whether e-mails go out, and what became of the last ones."""

from email.utils import make_msgid
from typing import Annotated

import typer
from sqlmodel import col, select

from api import letters
from api.commands.common import DataOption, JsonOption, emit, out, settings
from api.services import open_database, open_postman
from kb import accounts, smtp
from kb.errors import Misconfigured
from kb.models import Letter
from kb.smtp import MailServer

mail_app = typer.Typer(help="E-mails.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(mail_app, name="mail")


@mail_app.command("test")
def send_test(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Where it is sent.")],
    lang: Annotated[str, typer.Option(help="en or zh.")] = "en",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a test e-mail at once and say what the mail server answered."""
    loaded = settings(data)
    if loaded.smtp_url is None or open_postman(loaded, open_database(loaded)) is None:
        raise Misconfigured("no mail server is set: KB_SMTP_URL=smtp://user:password@mail.example.org:587")
    address = accounts.folded_email(email)
    name = make_msgid(domain="test").strip("<>").removesuffix("@test")
    message = letters.compose(loaded, "test", address, lang, name=name)
    smtp.send(MailServer.of(loaded.smtp_url.get_secret_value()), message, to=address)
    if as_json:
        emit({"sent": address})
    else:
        out.print(f"the mail server has taken it for {address}", markup=False, highlight=False)


@mail_app.command("list")
def listing(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most e-mails.")] = 50,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the e-mails of the last month, newest first: to whom, whether sent, and why not."""
    with open_database(settings(data)).read() as session:
        found = session.exec(select(Letter).order_by(col(Letter.id).desc()).limit(limit)).all()
    if as_json:
        emit({"letters": [letter.model_dump(mode="json", exclude={"data"}) for letter in found]})
        return
    for one in found:
        line = f"{one.asked_at:%Y-%m-%d %H:%M}  {one.state.value}  {one.kind.value}  {one.address}  {one.reason}"
        out.print(line.rstrip(), markup=False, highlight=False, soft_wrap=True)
