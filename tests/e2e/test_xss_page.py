"""Known tricks as title and text of an article, and as what is asked, in a real browser: nothing runs."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import uvicorn
from playwright.sync_api import Browser, ConsoleMessage, Dialog

from api.app import create_app
from api.services import open_services
from kb import editorial
from kb.access import SYSTEM
from kb.content import Content, Profile
from kb.models import Audience
from kb.settings import Settings
from tests.fakes import fake
from tests.xss import VECTORS

VISITED = sorted(set(VECTORS))[::3]
"""A third of them, for time; tests/unit/test_xss.py has all."""
WATCH = """
window.ran = [];
window.alert = window.confirm = window.prompt = (...told) => { window.ran.push(String(told)); };
"""
LOOK = """() => ({
  ran: window.ran,
  schemes: [...document.querySelectorAll('a[href], area[href]')].map(a => a.protocol),
  active: [...document.querySelectorAll('main iframe, main object, main embed, main svg, main script')].length,
  handlers: [...document.querySelectorAll('main *')].flatMap(
    e => [...e.attributes].filter(a => a.name.startsWith('on')).map(a => a.name)),
})"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a server whose articles are the vectors, KB-1 the first of VISITED."""
    with open_services(Settings(data=tmp_path_factory.mktemp("xss")), load=fake) as opened:
        with opened.db.write() as session:
            for number, vector in enumerate(VISITED, start=1):
                title = vector.replace("\n", " ")[:400] if vector.strip() else str(number)
                content = Content(title=title, body=f"before\n\n{vector}\n\nafter", issue=vector)
                item, revision = editorial.create(session, content, Profile(audience=Audience.PUBLIC), actor=SYSTEM)
                editorial.publish(session, item, revision, actor=SYSTEM)
        opened.indexer.catch_up()
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(create_app(opened), log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def test_no_article_and_no_question_runs_anything(browser: Browser, address: str, tmp_path: Path) -> None:
    context = browser.new_context(base_url=address)
    context.add_init_script(WATCH)
    page = context.new_page()
    dialogs: list[str] = []
    refused: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    def told(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            refused.append(message.text)

    page.on("dialog", dismiss)
    page.on("console", told)
    for number, vector in enumerate(VISITED, start=1):
        for path in (
            (f"/a/KB-{number}", f"/search?q={quote(vector[:200])}") if number % 5 == 0 else (f"/a/KB-{number}",)
        ):
            answer = page.goto(path)
            assert answer is not None
            assert answer.status == 200, (path, vector)
            assert "script-src" in answer.headers["content-security-policy"]
            seen = page.evaluate(LOOK)
            assert seen["ran"] == [], (path, vector)
            assert set(seen["schemes"]) <= {"http:", "https:", "mailto:", "tel:"}, (path, vector)
            assert (seen["active"], seen["handlers"]) == (0, []), (path, vector)
    assert dialogs == []
    # The policy is the second wall: with the first one whole, nothing ever comes to it.
    assert refused == []
    context.close()
