"""Pictures and files in a real browser: chosen, dropped and pasted, with and without scripts, seen by readers."""

import struct
import zlib
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from api.services import Services
from kb import accounts
from kb.access import SYSTEM
from tests.e2e.conftest import PASSWORD, Open, sign_in, violations

EMAIL = "attacher@example.org"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def picture(width: int = 320, height: int = 120) -> bytes:
    """Return a PNG of one colour."""
    rows = (b"\0" + bytes((11, 110, 79)) * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", zlib.compress(rows, 9)) + _chunk(b"IEND", b"")


@pytest.fixture(scope="module", autouse=True)
def _writer(services: Services) -> None:
    with services.db.write() as session:
        accounts.add(session, EMAIL, actor=SYSTEM, name="Ada Tach", role="editor", password=PASSWORD)


def signed_in(page: Page) -> Page:
    sign_in(page, EMAIL, "/edit/new")
    return page


GIVE = """([text, kind, name, bytes]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
  const init = { bubbles: true, cancelable: true };
  text.dispatchEvent(kind === "drop" ? new DragEvent("drop", { ...init, dataTransfer: data })
                                     : new ClipboardEvent("paste", { ...init, clipboardData: data }));
}"""


def test_a_picture_is_chosen_dropped_and_pasted_and_shown_to_readers(tab: Open, tmp_path: Path) -> None:
    (tmp_path / "chosen.png").write_bytes(picture())
    page = signed_in(tab())
    page.wait_for_load_state("load")
    page.locator("[name=title]").fill("What the lights mean")
    text = page.locator("[name=resolution]")
    text.fill("Look at the light: ")
    text.focus()
    page.keyboard.press("Control+End")
    page.locator("#attach input[type=file]").set_input_files(tmp_path / "chosen.png")
    page.locator("#attach button").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#attached")).to_have_text("Added: chosen.png")
    expect(text).to_have_value(f"Look at the light: ![chosen]({address_in(text.input_value())})")
    for kind, width in (("drop", 200), ("paste", 100)):
        page.evaluate(GIVE, [text.element_handle(), kind, f"{kind}.png", list(picture(width))])
        expect(page.locator("#attached")).to_have_text(f"Added: {kind}.png")
    expect(page.locator("#preview img")).to_have_count(3)
    page.evaluate(GIVE, [text.element_handle(), "drop", "bad.svg", list(b"<svg onload=alert(1)>")])
    expect(page.locator("#attached")).to_contain_text("scripts")
    page.locator("[name=audience]").select_option("public")
    page.screenshot(path=tmp_path / "attach-editor.png", full_page=True)
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.locator(".said")).to_be_visible()
    reader = tab(390, dark=True)
    reader.goto(page.get_by_role("link", name="Read the page").get_attribute("href") or "")
    shown = reader.locator(".body img")
    expect(shown).to_have_count(3)
    shown.last.scroll_into_view_if_needed()
    reader.wait_for_function("[...document.querySelectorAll('.body img')].every((one) => one.naturalWidth > 0)")
    assert reader.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(reader) == {}
    reader.screenshot(path=tmp_path / "attach-reader.png", full_page=True)


def test_without_scripts_a_page_says_what_to_paste(tab: Open, tmp_path: Path) -> None:
    (tmp_path / "指示灯.png").write_bytes(picture(60))
    page = signed_in(tab(390, lang="zh", script=False))
    page.locator("[name=title]").fill("写到一半")
    page.locator("#attach input[type=file]").set_input_files(tmp_path / "指示灯.png")
    with page.context.expect_page() as opened:
        page.get_by_role("button", name="添加", exact=True).click()
    other = opened.value
    expect(other.get_by_role("heading", level=1)).to_have_text("文件已添加")
    said = other.locator("main input").input_value()
    assert said.startswith("![指示灯](/files/")
    assert other.locator("img").evaluate("(one) => one.naturalWidth") == 60
    other.screenshot(path=tmp_path / "attached-zh.png")
    expect(page.locator("[name=title]")).to_have_value("写到一半")
    page.locator("[name=body]").fill(said)
    page.get_by_role("button", name="保存草稿").click()
    expect(page.locator("#preview img")).to_have_count(1)
    page.screenshot(path=tmp_path / "attach-editor-zh.png", full_page=True)


def address_in(markdown: str) -> str:
    return markdown.rpartition("](")[2].rstrip(")")
