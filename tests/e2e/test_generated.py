"""The answer of a language model in a real browser: the extract first, then what was written, in its place."""

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from api.app import create_app
from api.services import Services, open_writer
from kb.settings import Settings
from tests.llm_server import Script, ScriptedServer, refuses, says
from tests.tiny_llm import listening

QUESTION = "Reset the router"
WRITTEN = "Hold the **Reset** button for twelve seconds [1]."


@pytest.mark.parametrize(("script", "note"), [(says(WRITTEN), 1), (refuses(500), 0)], ids=["written", "failed"])
def test_what_was_written_takes_the_place_of_the_extract(
    browser: Browser, services: Services, tmp_path: Path, script: Script, note: int
) -> None:
    with ScriptedServer(script) as server:
        writer = open_writer(Settings(data=tmp_path, llm_base_url=server.base_url, llm_model="tiny"))
        with listening(create_app(replace(services, writer=writer))) as address:
            page = browser.new_page(locale="en")
            loud: list[str] = []
            page.on("console", lambda message: loud.append(message.text))
            page.on("pageerror", lambda error: loud.append(str(error)))
            page.goto(f"{address}/search?q={QUESTION}")
            answer = page.get_by_role("region", name="Answer")
            expect(page.get_by_text("A fuller answer is being written")).to_have_count(0)
            expect(answer.get_by_text("Written by a language model")).to_have_count(note)
            expect(answer).to_contain_text("Hold the Reset button for twelve seconds.")
            answer.locator("a.cite").first.click()
            page.wait_for_url("**/a/KB-**")
            assert loud == []
            page.close()
    assert len(server.requests) == 1
