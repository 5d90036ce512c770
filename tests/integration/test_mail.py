"""E-mails, over a real mail server on loopback: sent once, tried again, given up; what they may and may not hold."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError
from sqlmodel import Session, col, select, update

from api.app import create_app
from api.letters import LETTERS, compose
from api.postman import Postman
from api.services import Services, open_postman, open_services
from kb import accounts, browser_sessions, keys, outbox, smtp
from kb.access import SYSTEM
from kb.db import Database
from kb.errors import Misconfigured
from kb.models import (
    Account,
    AccountState,
    AuditRow,
    FailedAttempts,
    Letter,
    LetterKind,
    LetterState,
    OneTimeToken,
    now,
)
from kb.settings import Settings
from kb.smtp import MailServer, Undelivered, sender
from tests.fakes import fake
from tests.smtp_server import made_certificate, mail_server

EMAIL, PASSWORD = "ana@example.org", "four plain words"
KIND = LetterKind.RESET


@pytest.fixture
def mailbox_and_url() -> Iterator[Any]:
    with mail_server() as (url, mailbox):
        yield mailbox, url


def settings_of(url: str, folder: Path, **others: Any) -> Settings:
    return Settings(
        data=folder,
        smtp_url=url,
        mail_from="Vellamo Help <help@example.org>",
        public_url="https://help.example.org",
        site_name="Vellamo",
        **others,
    )


@pytest.fixture
def parts(mailbox_and_url: Any, db: Database, tmp_path: Path) -> Iterator[Services]:
    """All parts with a mail server set; their postman is not started: tests call it."""
    url = db.url.render_as_string(hide_password=False)
    with open_services(settings_of(mailbox_and_url[1], tmp_path, database_url=url), load=fake) as opened:
        yield opened


def postman_of(parts: Services) -> Postman:
    assert parts.postman is not None
    return parts.postman


def a_letter(db: Database, address: str = EMAIL, **how: Any) -> int:
    with db.write() as session:
        lives = how.pop("lives", timedelta(hours=1))
        return int(outbox.put(session, KIND, address, lang="en", lives=lives, **how).id or 0)


def letter(db: Database, number: int) -> Letter:
    with db.read() as session:
        return session.get_one(Letter, number)


def said(written: Letter) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "help@example.org", written.address, "Hello"
    message.set_content("text")
    return message


@pytest.mark.filterwarnings("ignore:Session.login_data is deprecated")  # the test server's own use of it
@pytest.mark.parametrize("starttls", [True, False])
def test_over_tls_with_a_password_where_the_certificate_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, starttls: bool
) -> None:
    certificate = made_certificate(tmp_path)
    message = compose(settings_of("smtp://a.test", tmp_path), "test", EMAIL, "zh", name="1")
    with mail_server(certificate=certificate, starttls=starttls, password=True) as (url, mailbox):
        with pytest.raises(Undelivered, match="certificate verify failed") as refused:
            smtp.send(MailServer.of(url), message, to=EMAIL)
        assert refused.value.everything
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        smtp.send(MailServer.of(url), message, to=EMAIL)
        (sent,) = mailbox.messages
        assert mailbox.secure == [True]
        assert (sent["Subject"], sent["To"]) == ("Vellamo测试邮件", EMAIL)
        assert sent["From"] == "Vellamo Help <help@example.org>"
        assert "可以发送邮件" in sent.get_content()
        wrong = MailServer.of(url.replace("p%40ss", "other"))
        with pytest.raises(Undelivered, match="535") as refused:
            smtp.send(wrong, message, to=EMAIL)
        assert "other" not in refused.value.message + repr(wrong)


def test_a_server_without_tls_gets_nothing_unless_that_is_said(tmp_path: Path) -> None:
    with mail_server() as (url, mailbox):
        plain = url.removesuffix("?starttls=never")
        with pytest.raises(Undelivered, match="STARTTLS extension not supported"):
            smtp.send(
                MailServer.of(plain), compose(settings_of(url, tmp_path), "test", EMAIL, "en", name="1"), to=EMAIL
            )
        assert mailbox.taken == []


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example.org", ("mail.example.org", 587, "starttls", "", "")),
        ("smtp://u%40x:p%2F@mail.example.org:2525", ("mail.example.org", 2525, "starttls", "u@x", "p/")),
        ("smtps://u:p@[::1]", ("::1", 465, "from_start", "u", "p")),
        ("smtp://localhost?starttls=never", ("localhost", 25, "never", "", "")),
    ],
)
def test_addresses_of_mail_servers(url: str, server: tuple[Any, ...]) -> None:
    found = MailServer.of(url)
    assert (found.host, found.port, found.tls, found.user, found.password) == server


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.org", "http://mail.example.org", "smtp://", "smtp://h:0", "smtp://h:x", "smtp://u:s3cret@h/path",
        "smtp://u@h", "smtp://:s3cret@h", "smtp://u:s3cret@h?starttls=never", "smtp://h?starttls=no", "smtps://h?starttls=never",
        "smtp://u%0d%0aQUIT:s3cret@h",
    ],
)  # fmt: skip
def test_what_is_no_mail_server_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(smtp_url=url)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "help", "help@", "@x", "a@b\r\nBcc: c@d", "Help <a b@c>", "a@例子.公司"])
def test_a_sender_is_one_address(text: str) -> None:
    with pytest.raises(ValueError, match="a sender such as"):
        sender(text)


def test_a_mail_server_needs_a_sender_and_the_address_of_links(tmp_path: Path, sqlite: Database) -> None:
    with pytest.raises(Misconfigured, match="not KB_MAIL_FROM"):
        open_postman(Settings(data=tmp_path, smtp_url="smtp://h"), sqlite)
    with pytest.raises(Misconfigured, match="not KB_PUBLIC_URL"):
        open_postman(Settings(data=tmp_path, smtp_url="smtp://h", mail_from="a@b"), sqlite)
    assert open_postman(Settings(data=tmp_path), sqlite) is None


def test_no_text_becomes_a_header_of_its_own(tmp_path: Path) -> None:
    site = "Vellamo\r\nBcc: mallory@example.org\r\n\r\nBuy"
    odd = settings_of("smtp://h", tmp_path).model_copy(update={"site_name": site})
    with mail_server() as (url, mailbox):
        smtp.send(MailServer.of(url), compose(odd, "test", EMAIL, "en", name="1"), to=EMAIL)
        ((to, message),) = mailbox.taken
    assert to == [EMAIL]
    assert message["Bcc"] is None
    assert message["Subject"] == "A test of Vellamo Bcc: mallory@example.org Buy"
    with pytest.raises(ValueError, match="linefeed or carriage return"):
        compose(odd, "test", "a@b\r\nBcc: c@d", "en", name="1")


def test_the_letters_of_both_languages_say_the_same() -> None:
    english, chinese = LETTERS["en"], LETTERS["zh"]
    assert english.keys() == chinese.keys()
    for key in english:
        assert set(re.findall(r"{\w+}", english[key])) == set(re.findall(r"{\w+}", chinese[key])), key


def test_a_letter_is_sent_once_however_many_send(parts: Services, mailbox_and_url: Any) -> None:
    numbers = [a_letter(parts.db, f"p{n}@example.org") for n in range(12)]
    server = MailServer.of(mailbox_and_url[1])

    def work(_: int) -> int:
        postman, count = Postman(parts.db, server, said), 0
        while postman.deliver():
            count += 1
        return count

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(work, range(4)))
    assert sum(done) == 12
    assert sorted(to for (to,), _ in mailbox_and_url[0].taken) == sorted(f"p{n}@example.org" for n in range(12))
    assert {letter(parts.db, number).state for number in numbers} == {LetterState.SENT}


def test_tried_again_ever_later_then_given_up(sqlite: Database) -> None:
    number = a_letter(sqlite, data={"asked_by": "boss"})
    at, waits = now(), []
    while (claimed := outbox.claim(sqlite, at)) is not None:
        assert outbox.claim(sqlite, at) is None, "nobody else takes it meanwhile"
        outbox.failed(sqlite, claimed, "451 later", for_good=False, moment=at)
        waits.append(letter(sqlite, number).next_at - at)
        at = letter(sqlite, number).next_at
    assert [wait.total_seconds() / 60 for wait in waits] == [1, 2, 4, 8, 16, 32]
    found = letter(sqlite, number)
    assert (found.state, found.reason, found.data) == (LetterState.GIVEN_UP, "451 later", {})
    with sqlite.read() as session:
        standing = outbox.standing(session)
    assert (standing.waiting, standing.late, standing.given_up, standing.reason) == (0, 0, 1, "451 later")


def test_who_dies_at_a_letter_leaves_it_to_be_sent(sqlite: Database) -> None:
    a_letter(sqlite)
    at = now()
    assert outbox.claim(sqlite, at) is not None
    assert outbox.claim(sqlite, at + outbox.LEASE - timedelta(seconds=1)) is None
    again = outbox.claim(sqlite, at + outbox.LEASE)
    assert again is not None
    assert again.tries == 2


def test_what_is_refused_for_good_is_given_up_at_once_and_the_rest_is_sent(
    parts: Services, mailbox_and_url: Any
) -> None:
    mailbox, url = mailbox_and_url
    mailbox.refused = {"gone@example.org": "550 no such user\tht", "busy@example.org": "450 try later"}
    gone, busy, fine = (a_letter(parts.db, f"{name}@example.org") for name in ("gone", "busy", "fine"))
    postman = Postman(parts.db, MailServer.of(url), said)
    while postman.deliver():
        pass
    assert letter(parts.db, gone).state is LetterState.GIVEN_UP
    assert letter(parts.db, gone).reason == "the address was refused: 550 no such user ht"
    assert (letter(parts.db, busy).state, letter(parts.db, busy).tries) == (LetterState.WAITING, 1)
    assert letter(parts.db, fine).state is LetterState.SENT
    mailbox.refused = {}
    with parts.db.write() as session:
        session.exec(update(Letter).values(next_at=now()))
    assert postman.deliver()
    assert [to for to, _ in mailbox.taken] == [["fine@example.org"], ["busy@example.org"]]


def test_without_a_server_letters_wait(sqlite: Database) -> None:
    number = a_letter(sqlite)
    with mail_server() as (url, _):
        pass
    with pytest.raises(Undelivered, match="no use of the mail server") as refused:
        Postman(sqlite, MailServer.of(url), said).deliver()
    assert refused.value.everything
    assert letter(sqlite, number).state is LetterState.WAITING
    assert "no use of the mail server" in letter(sqlite, number).reason


def test_a_defect_in_writing_one_is_kept_with_it(sqlite: Database) -> None:
    def broken(_: Letter) -> EmailMessage:
        raise KeyError("zanzibar")

    number = a_letter(sqlite)
    with pytest.raises(KeyError):
        Postman(sqlite, MailServer.of("smtp://h"), broken).deliver()
    assert letter(sqlite, number).reason == "KeyError: 'zanzibar'"


def add(session: Session, email: str = EMAIL, **how: Any) -> Account:
    return accounts.add(session, email, actor=SYSTEM, name="Ana", role="editor", **{"password": PASSWORD, **how})[0]


@pytest.fixture
def client(parts: Services) -> Iterator[TestClient]:
    app = create_app(parts)
    base = "https://help.example.org"
    with TestClient(app, base_url=base, raise_server_exceptions=False, follow_redirects=False) as opened:
        postman_of(parts).close()  # tests deliver themselves
        yield opened


def deliver(parts: Services) -> None:
    while postman_of(parts).deliver():
        pass


def test_a_forgotten_password(parts: Services, client: TestClient, mailbox_and_url: Any) -> None:
    with parts.db.write() as session:
        account = add(session)
        old = browser_sessions.begin(session, account, device="", life=timedelta(hours=1))
    assert "Forgot your password?" in client.get("/sign-in").text
    page = client.post("/forgotten?hl=zh", data={"email": " Ana@Example.org"})
    assert "如果 ana@example.org 有对应的账号" in page.text
    with parts.db.read() as session:
        (waiting,) = session.exec(select(Letter)).all()
        assert (waiting.data, session.exec(select(OneTimeToken)).all()) == ({}, []), "no secret before it is written"
    deliver(parts)
    (message,) = mailbox_and_url[0].messages
    assert message["Subject"] == "重置您的Vellamo密码"
    link = re.search(r"https://help.example.org(/welcome/\S+)", message.get_content())
    assert link is not None
    assert link[1].rpartition("/")[2] not in str(letter(parts.db, int(waiting.id or 0)).model_dump())
    client.cookies.clear()
    form = {"password": "another plain sentence", "again": "another plain sentence"}
    assert client.post(link[1], data=form).status_code == 303
    assert client.post(link[1], data=form).status_code == 401, "it opens once"
    client.cookies.clear()
    assert client.get("/v1/me", headers={"Cookie": f"__Host-session={old}"}).json()["role"] == "anonymous"
    with parts.db.read() as session:
        log = session.exec(select(AuditRow.action).where(col(AuditRow.target) == f"account:{EMAIL}")).all()
    assert log[-2:] == ["account.reset", "session.begin"]
    assert "account.mail_reset" in log


def test_nothing_tells_whether_there_is_an_account(parts: Services, client: TestClient, mailbox_and_url: Any) -> None:
    with parts.db.write() as session:
        add(session)
        add(session, "invited@example.org", password=None)
        accounts.disable(session, add(session, "closed@example.org"), actor=SYSTEM)
        elsewhere = add(session, "elsewhere@example.org", password=None)
        elsewhere.state, elsewhere.issuer, elsewhere.issued = AccountState.ACTIVE, "https://id.test", "1"
        session.add(elsewhere)
    said_to: dict[str, tuple[int, str]] = {}
    for name in ("ana", "nobody", "invited", "closed", "elsewhere"):
        answer = client.post("/forgotten", data={"email": f"{name}@example.org"})
        said_to[name] = (answer.status_code, answer.text.replace(f"{name}@", "X@"))
    assert set(said_to.values()) == {said_to["ana"]}
    with parts.db.read() as session:
        assert len(session.exec(select(Letter)).all()) == 5, "the same was written, whoever was named"
    deliver(parts)
    assert [to for to, _ in mailbox_and_url[0].taken] == [[EMAIL]]
    with parts.db.read() as session:
        assert len(session.exec(select(Letter)).all()) == 1, "who is not known here is not kept"
    for _ in range(2):
        assert client.post("/forgotten", data={"email": "nobody@example.org"}).status_code == 200
    answer = client.post("/forgotten", data={"email": "nobody@example.org"})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    with parts.db.write() as session:
        session.exec(update(FailedAttempts).values(failures=50))
    assert client.post("/forgotten", data={"email": "new@example.org"}).status_code == 429, "by network address too"
    assert client.post("/forgotten", data={"email": "no address"}).status_code == 422
    other = {"Origin": "https://elsewhere.test"}
    assert client.post("/forgotten", data={"email": EMAIL}, headers=other).status_code == 403


def test_invitations_are_mailed_and_not_shown(parts: Services, client: TestClient, mailbox_and_url: Any) -> None:
    with parts.db.write() as session:
        boss = {"Authorization": f"Bearer {keys.add(session, 'boss', 'admin', actor=SYSTEM)}"}
    made = client.post("/v1/accounts", json={"email": EMAIL, "role": "agent"}, headers=boss).json()
    assert (made["link"], made["mailed"]) == (None, True)
    deliver(parts)
    assert client.post(f"/v1/accounts/{EMAIL}/invite", headers=boss).json()["mailed"]
    with parts.db.write() as session:
        account = accounts.get(session, EMAIL)
        secret = accounts.invite(session, account, actor=SYSTEM)
    form = {"name": "Ana", "password": PASSWORD, "again": PASSWORD}
    assert client.post(f"/welcome/{secret}", data=form).status_code == 303
    deliver(parts)
    (message,) = mailbox_and_url[0].messages
    assert message["Subject"] == "Your invitation to Vellamo"
    first = re.search(r"/welcome/\S+", message.get_content())
    assert first is not None
    assert client.get(first[0]).status_code == 401, "a later one takes its place"
    assert client.post(f"/v1/accounts/{EMAIL}/reset", headers=boss).json()["mailed"]
    deliver(parts)
    assert mailbox_and_url[0].messages[1]["Subject"] == "A new password for Vellamo"


def test_admins_see_on_the_page_what_was_sent_and_what_fails(
    parts: Services, client: TestClient, mailbox_and_url: Any
) -> None:
    with parts.db.write() as session:
        accounts.add(session, "boss@example.org", actor=SYSTEM, role="admin", password=PASSWORD)
    client.post("/sign-in", data={"email": "boss@example.org", "password": PASSWORD})
    csrf = re.search(r'name="csrf" value="([0-9a-f]{64})"', client.get("/account").text)
    assert csrf is not None
    new = {"csrf": csrf[1], "action": "add", "email": EMAIL, "role": "agent"}
    page = client.post("/people", data=new).text
    assert f"on its way to {EMAIL}" in page
    assert "/welcome/" not in page
    mailbox_and_url[0].refused = {EMAIL: "550 <b>gone</b>"}
    deliver(parts)
    assert "1 given up in the last week. <q>the address was refused: 550 &lt;b&gt;gone" in client.get("/people").text


def test_without_a_mail_server_nothing_is_offered(services: Services) -> None:
    with TestClient(create_app(services)) as client:
        assert "Forgot" not in client.get("/sign-in").text
        assert client.get("/forgotten").status_code == 404
        assert client.post("/forgotten", data={"email": EMAIL}).status_code == 404


def test_a_running_server_sends_by_itself(mailbox_and_url: Any, tmp_path: Path) -> None:
    mailbox, url = mailbox_and_url
    with open_services(settings_of(url, tmp_path), load=fake) as parts:
        with parts.db.write() as session:
            add(session)
        with TestClient(create_app(parts)) as client:
            client.post("/forgotten", data={"email": EMAIL})
            assert mailbox.arrived.wait(30)
