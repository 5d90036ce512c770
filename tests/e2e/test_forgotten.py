"""A forgotten password in a real browser, with the e-mail that comes: by keyboard alone, both languages, accessible."""

import re
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import expect

from api.app import create_app
from api.services import open_services
from kb import accounts
from kb.access import SYSTEM
from kb.settings import Settings
from tests.e2e.conftest import Open, violations
from tests.fakes import fake
from tests.smtp_server import mail_server

EMAIL, NEW = "ana@example.org", "another plain sentence"


@pytest.fixture(scope="module")
def mailbox_and_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with mail_server() as (url, mailbox):
        settings = Settings(
            data=tmp_path_factory.mktemp("mail"), smtp_url=url, mail_from="help@example.org", public_url=address
        )
        with open_services(settings, load=fake) as services:
            with services.db.write() as session:
                accounts.add(session, EMAIL, actor=SYSTEM, name="Ana", role="agent", password="four plain words")
            server = uvicorn.Server(uvicorn.Config(create_app(services), log_config=None, access_log=False))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            yield mailbox, address
            server.should_exit = True
            thread.join()


@pytest.fixture
def address(mailbox_and_address: Any) -> str:
    return str(mailbox_and_address[1])


@pytest.mark.parametrize(("width", "lang", "link"), [(1280, "en", "Forgot your password?"), (390, "zh", "忘记密码？")])
def test_a_new_password_by_e_mail(tab: Open, mailbox_and_address: Any, width: int, lang: str, link: str) -> None:
    mailbox, _ = mailbox_and_address
    mailbox.taken.clear()
    mailbox.arrived.clear()
    page = tab(width, lang=lang, dark=lang == "zh")
    page.goto("/sign-in")
    page.get_by_role("link", name=link).focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/forgotten*")
    page.locator("[name=email]").fill(EMAIL)
    page.keyboard.press("Enter")
    expect(page.locator(".said")).to_contain_text(EMAIL)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert mailbox.arrived.wait(30)
    way = re.search(r"http://\S+", mailbox.messages[0].get_content())
    assert way is not None
    page.goto(way[0])
    page.locator("[name=password]").fill(NEW)
    page.locator("[name=again]").fill(NEW)
    page.keyboard.press("Enter")
    page.wait_for_url("**/account*")
    expect(page.get_by_role("heading", level=1)).to_have_text("Ana")
    page.goto("/forgotten")
    assert violations(page) == {}
