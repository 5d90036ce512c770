"""A running Answerwell and a real browser."""

import re
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, sync_playwright

from api.app import create_app
from api.services import Services, open_services
from ingest.redaction.process import Redactor
from kb import editorial
from kb.access import SYSTEM
from kb.content import Content, Profile, labels
from kb.models import Audience
from kb.settings import Settings
from tests.fakes import fake

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

ARTICLES: list[dict[str, Any]] = [
    {
        "title": "The app returns to the sign-in page after the update",
        "issue": "After the update to 8.0 the app asks to sign in again and again.",
        "environment": "Vellamo app 8.0 on Android and iOS",
        "resolution": "Clear the app's storage, then sign in with your e-mail address:\n\n1. Open **Settings**.\n"
        "2. Choose *Apps*, then the app.\n3. Clear the storage.\n\nSee [reset the router](reset.md).",
        "cause": "Old sessions do not fit the new account service.",
        "family": "sign-in",
        "products": ["vellamo-app"],
        "versions": ["8.0"],
        "topics": ["sign-in"],
    },
    {
        "title": "更新后 App 反复回到登录页面",
        "lang": "zh",
        "issue": "更新到 8.0 后，App 一再要求登录。",
        "environment": "维澜 App 8.0",
        "resolution": "清除 App 的存储数据，然后用电子邮箱登录：\n\n1. 打开**设置**。\n2. 选择“应用”。\n3. 清除存储。",
        "cause": "旧的会话与新的账户服务不兼容。",
        "family": "sign-in",
        "products": ["vellamo-app"],
        "versions": ["8.0"],
        "topics": ["sign-in"],
    },
    {
        "title": "Reset the router",
        "body": "Hold the **Reset** button for twelve seconds.\n\n"
        "| Light | Meaning |\n| --- | --- |\n| white | good |\n| red | fault |\n\n```\nhttp://192.168.10.1\n```\n\n![a picture](https://elsewhere.example/x.png)",
        "external_id": "reset.md",
        "products": ["fibrebox"],
        "topics": ["wifi"],
    },
    {"title": f"Markup {HOSTILE}", "body": f"Text {HOSTILE} [link](javascript:alert(3))", "topics": [HOSTILE]},
    {"title": "Internal procedure", "body": "For agents only.", "audience": "internal", "products": ["linedesk"]},
]


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory, redactor: Redactor) -> Iterator[Services]:
    settings = Settings(
        data=tmp_path_factory.mktemp("pages"),
        support_url="https://vellamo.example/contact",
        community_url="https://vellamo.example/community",
        site_name="Vellamo Help",
    )
    with open_services(settings, load=fake) as opened:
        with opened.db.write() as session:
            for given in ARTICLES:
                texts = {
                    name: given.get(name, "")
                    for name in ("title", "body", "issue", "environment", "resolution", "cause")
                }
                item, revision = editorial.create(
                    session,
                    Content(**texts),
                    Profile(
                        lang=given.get("lang", "en"),
                        audience=Audience(given.get("audience", "public")),
                        family=given.get("family"),
                        labels=labels(
                            products=given.get("products", []),
                            versions=given.get("versions", []),
                            topics=given.get("topics", []),
                        ),
                    ),
                    actor=SYSTEM,
                    external_id=given.get("external_id"),
                )
                editorial.publish(session, item, revision, actor=SYSTEM)
        opened.indexer.catch_up()
        yield replace(opened, redactor=redactor)


@pytest.fixture(scope="session")
def address(services: Services) -> Iterator[str]:
    """Address of a server over `services`."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(services), log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of this folder: Playwright holds an event loop in this thread for as long as it lives."""
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("chromium is not installed: tests/e2e/install-browser.sh installs it where it may")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield opened
        opened.close()


PASSWORD = "four plain words"
"""Of everybody whom these tests make an account for."""


def sign_in(page: Page, email: str, to: str) -> None:
    """Sign in by keyboard, and go on to an address."""
    page.goto(f"/sign-in?to={to}")
    page.locator("[name=email]").fill(email)
    page.locator("[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda address: "/sign-in" not in address)


def violations(page: Page) -> dict[str, list[str]]:
    """Return what axe finds serious or critical on the page: the places by rule. Skips where axe is not installed."""
    if not AXE.exists():
        pytest.skip("axe-core is not installed: tests/e2e/install-browser.sh installs it where it may")
    # axe is put in through the debugger, which the page's own policy does not govern.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    result = page.evaluate(
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    )
    return {
        violation["id"]: [node["html"][:200] for node in violation["nodes"]]
        for violation in result["violations"]
        if violation["impact"] in ("serious", "critical")
    }


Open = Callable[..., Page]


@pytest.fixture
def tab(browser: Browser, address: str) -> Iterator[Open]:
    """Open tabs: width, colour scheme, language, with or without JavaScript.

    A dialog, an error in the console or a request to elsewhere fails the test.
    """
    faults: list[str] = []
    contexts = []

    def opened(width: int = 1280, *, dark: bool = False, lang: str = "en", script: bool = True) -> Page:
        context = browser.new_context(
            base_url=address,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            locale="zh-CN" if lang == "zh" else "en-GB",
            java_script_enabled=script,
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        _watch(page, address, faults)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def _watch(page: Page, address: str, faults: list[str]) -> None:
    """Note dialogs, errors of scripts and console, and requests to elsewhere. The browser reports a page of 404, 409 or
    422 as an error of its own: those are meant."""

    def dialog(shown: Dialog) -> None:
        faults.append(f"dialog {shown.message}")
        shown.dismiss()

    def said(message: ConsoleMessage) -> None:
        if message.type == "error" and not re.search(r"status of (404|409|422)\b", message.text):
            faults.append(message.text)

    def asked(request: Request) -> None:
        if not request.url.startswith(address):
            faults.append(f"request {request.url}")

    page.on("dialog", dialog)
    page.on("pageerror", lambda error: faults.append(f"error {error}"))
    page.on("console", said)
    page.on("request", asked)
