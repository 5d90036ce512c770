"""Images and attachments: kept once, for who may read what uses them, and for as long as something uses them."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from api.app import create_app
from api.services import Services
from kb import attachments, editorial, items, keys, spaces
from kb.access import SYSTEM, Principal, Role, scope_of
from kb.backup import back_up
from kb.content import Content, Profile
from kb.errors import InvalidInput
from kb.file_store import FileStore
from kb.models import Attachment, AttachmentUpload, AttachmentUse, Audience, AuditRow, Draft, now
from kb.transfer import export_lines, import_lines

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with services.db.write() as session:
        spaces.add(session, "lake", name="Lake")
        spaces.add(session, "harbour", name="Harbour")
    with TestClient(create_app(services), raise_server_exceptions=False, follow_redirects=False) as opened:
        yield opened


def key(services: Services, role: str, space: str = "lake", name: str = "") -> dict[str, str]:
    with services.db.write() as session:
        where = int(spaces.by_key(session, space).id or 0)
        name = name or f"{role} of {space}"
        return {"Authorization": f"Bearer {keys.add(session, name, role, actor=SYSTEM, space_id=where)}"}


def sent(client: TestClient, who: dict[str, str], data: bytes = PNG, name: str = "lights.png") -> dict[str, str]:
    answer = client.post("/v1/attachments", files={"file": (name, data, "text/html")}, headers=who)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def written(client: TestClient, who: dict[str, str], text: str, *, space: str = "lake", **more: object) -> str:
    body = {"title": "Lights", "resolution": text, "space": space, **more}
    answer = client.post("/v1/items", json=body, headers=who)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["item"])


def test_a_file_is_for_who_may_read_what_uses_it(services: Services, client: TestClient) -> None:
    author, colleague = key(services, "publisher"), key(services, "contributor", name="colleague")
    elsewhere, agent = key(services, "editor", "harbour"), key(services, "agent")
    customer = key(services, "customer")
    everybody = {"author": author, "colleague": colleague, "elsewhere": elsewhere, "agent": agent,
                 "customer": customer, "nobody": {}}  # fmt: skip
    file = sent(client, author)
    assert file["markdown"] == f"![lights]({file['address']})"

    def readers() -> set[str]:
        return {name for name, who in everybody.items() if client.get(file["address"], headers=who).is_success}

    assert readers() == {"author"}, "who sent it, before anything uses it"
    item = written(client, author, file["markdown"], audience="internal")
    assert readers() == {"author", "colleague"}, "a draft: for who writes there"
    client.post(f"/v1/items/{item}/publish", headers=author)
    assert readers() == {"author", "colleague", "agent"}, "published for staff of the space"
    change = {"title": "Lights", "resolution": file["markdown"], "audience": "customer", "based_on": 1}
    client.put(f"/v1/items/{item}", json=change, headers=author)
    assert readers() == {"author", "colleague", "agent", "customer"}
    client.put(f"/v1/items/{item}", json={**change, "resolution": "none", "publish": True}, headers=author)
    assert readers() == {"author", "colleague"}, "the live revision uses it no more; an earlier one does, for writers"
    editor = key(services, "editor")
    client.post(f"/v1/items/{item}/retire", headers=editor)
    assert readers() == {"author", "colleague"}
    missing = client.get(f"/files/{'0' * 64}/lights.png", headers=agent)
    refused = client.get(file["address"], headers=agent)
    assert (missing.status_code, missing.json()) == (refused.status_code, refused.json()), "not there, not yours: alike"
    assert client.get("/files/nothing/lights.png").status_code == 404


def test_nobody_gives_away_a_file_that_they_may_not_read(services: Services, client: TestClient) -> None:
    author, thief = key(services, "publisher"), key(services, "editor", "harbour")
    file = sent(client, author)
    written(client, author, file["markdown"], audience="internal", publish=True)
    stolen = {"title": "Mine", "body": f"![x]({file['address']})", "space": "harbour", "audience": "public"}
    for address in (file["address"], f"/files/{'0' * 64}/x.png"):
        answer = client.post("/v1/items", json={**stolen, "body": f"![x]({address})"}, headers=thief)
        assert answer.status_code == 422
        assert answer.json()["field"] == "body"
        assert "add it again" in answer.json()["detail"]
    assert client.get(file["address"], headers=thief).status_code == 404
    again = sent(client, thief)  # who has what it holds may use it
    assert again["digest"] == file["digest"]
    written(client, thief, again["markdown"], space="harbour")


def test_the_same_content_is_one_file_and_many_who_sent_it(services: Services, client: TestClient) -> None:
    first, second = key(services, "contributor"), key(services, "contributor", "harbour")
    one, two = sent(client, first), sent(client, second, name="other name.PNG")
    assert one["digest"] == two["digest"]
    assert (two["name"], two["markdown"]) == ("other-name.png", f"![other-name](/files/{one['digest']}/other-name.png)")
    with services.db.read() as session:
        assert len(session.exec(select(Attachment)).all()) == 1
        assert len(session.exec(select(AttachmentUpload)).all()) == 2
        added = session.exec(select(AuditRow).where(AuditRow.action == "file.add")).all()
        assert {row.target for row in added} == {f"file:{one['digest']}"}
        assert len(added) == 2
    assert len(list(services.files.leftovers())) == 1
    assert services.files.path(one["digest"]).read_bytes() == PNG


def test_what_is_served_says_what_it_is_and_nothing_more_can_be_made_of_it(
    services: Services, client: TestClient
) -> None:
    author = key(services, "contributor")
    picture, text = sent(client, author), sent(client, author, b"a;b\n<b>\n", "list.csv")
    whole = client.get(picture["address"], headers=author)
    assert whole.content == PNG
    head = whole.headers
    assert (head["content-type"], head["x-content-type-options"]) == ("image/png", "nosniff")
    assert head["content-disposition"] == 'inline; filename="lights.png"'
    assert head["content-security-policy"] == "default-src 'none'; sandbox"
    assert head["cache-control"].startswith("private")
    assert "Cookie" in head["vary"]
    named = client.get(text["address"].replace("list.csv", "setup.exe"), headers=author).headers
    assert named["content-disposition"] == 'attachment; filename="setup.exe.txt"'
    assert named["content-type"].startswith("text/plain")
    part = client.get(picture["address"], headers={**author, "Range": "bytes=4-7"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, PNG[4:8], f"bytes 4-7/{len(PNG)}")
    same = client.get(picture["address"], headers={**author, "If-None-Match": head["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert client.get(picture["address"], headers={"If-None-Match": head["etag"]}).status_code == 404


def test_what_is_not_taken_is_refused_and_leaves_nothing(services: Services, client: TestClient) -> None:
    author = key(services, "contributor")
    services.settings.__dict__["attachment_bytes"] = 2000
    for data, status in ((b"<svg onload=alert(1)>", 422), (b"", 422), (b"MZ\0", 422), (PNG * 2, 413)):
        assert client.post("/v1/attachments", files={"file": ("x.png", data)}, headers=author).status_code == status
    assert client.post("/v1/attachments", files={"file": ("x.png", PNG)}, headers={}).status_code == 403
    assert list(services.files.leftovers()) == []


def test_only_what_nothing_uses_goes_and_only_after_days(services: Services, client: TestClient) -> None:
    author = key(services, "contributor")
    used, drafted, unused, fresh = (sent(client, author, PNG + bytes([n])) for n in range(4))
    item = written(client, author, used["markdown"])
    client.put(f"/v1/items/{item}", json={"title": "Lights", "based_on": 1}, headers=author)  # only revision 1 uses it
    client.put("/v1/drafts/new-1", json={"title": "x", "body": drafted["markdown"], "version": 0}, headers=author)
    with services.db.write() as session:
        assert session.exec(select(Draft)).all(), "the draft was kept"
        for row in session.exec(select(AttachmentUpload)):
            row.at = now() - timedelta(days=0 if row.digest == fresh["digest"] else 40)
            session.add(row)
    scrap = services.files.path(unused["digest"]).with_name(".killed.part")
    scrap.write_bytes(b"half")
    os.utime(scrap, (0, 0))
    os.utime(services.files.path(unused["digest"]), (0, 0))
    gone = attachments.clean(services.db, services.files, days=30, actor=SYSTEM)
    assert [one.digest for one in gone] == [unused["digest"]]
    kept = {path.name for path in services.files.leftovers()}
    assert kept == {used["digest"], drafted["digest"], fresh["digest"]}
    assert attachments.faults(services.db, services.files) == []
    with services.db.read() as session:
        assert attachments.count(session).unused == 1, "the fresh one"
    assert sent(client, author, PNG + bytes([2]))["digest"] == unused["digest"], "it may come again"


def test_a_file_that_is_missing_or_altered_is_told_with_who_uses_it(services: Services, client: TestClient) -> None:
    author = key(services, "contributor")
    file, other = sent(client, author), sent(client, author, PNG + b"2")
    item = written(client, author, file["markdown"])
    services.files.path(file["digest"]).write_bytes(PNG + b"x")
    services.files.path(other["digest"]).unlink()
    told = attachments.faults(services.db, services.files)
    assert len(told) == 2
    assert any("is not what was added" in fault and item in fault for fault in told)
    assert any("cannot be read" in fault for fault in told)
    assert client.get(other["address"], headers=author).status_code == 503
    sent(client, author)
    sent(client, author, PNG + b"2")
    assert attachments.faults(services.db, services.files) == [], "sent again, it is mended"


def test_a_backup_has_the_files(services: Services, client: TestClient, tmp_path: Path) -> None:
    file = sent(client, key(services, "contributor"))
    back_up(services.db, services.settings.data, tmp_path / "backup")
    assert FileStore(tmp_path / "backup" / "files").sound(file["digest"])


def test_uses_go_with_the_item_and_come_with_an_import(services: Services, client: TestClient, tmp_path: Path) -> None:
    author = key(services, "contributor", "main")
    file = sent(client, author)
    item = written(client, author, file["markdown"], space="main")
    lines = list(export_lines(services.db, actor=SYSTEM))
    with services.db.write() as session:
        editorial.delete(session, items.get(session, item, scope_of(session, SYSTEM)), actor=SYSTEM)
        assert session.exec(select(AttachmentUse)).all() == []
    assert import_lines(services.db, lines, actor=SYSTEM).items == 1
    with services.db.read() as session:
        assert [use.digest for use in session.exec(select(AttachmentUse))] == [file["digest"]]
    elsewhere = FileStore(tmp_path / "elsewhere")
    assert any("cannot be read" in fault and item in fault for fault in attachments.faults(services.db, elsewhere))


def test_an_admin_of_everything_may_name_a_file_that_is_to_come(services: Services) -> None:
    content = Content(title="t", cause=f"[manual](/files/{'a' * 64}/m.pdf)")
    with services.db.write() as session:
        editorial.create(session, content, Profile(audience=Audience.PUBLIC), actor=SYSTEM)
    assert attachments.faults(services.db, services.files) == ["the file aaaaaaaaaaaa… was never added, used by KB-1"]
    with services.db.write() as session, pytest.raises(InvalidInput, match="add it again") as caught:
        editorial.create(session, content, Profile(), actor=Principal(Role.EDITOR, "ed"))
    assert caught.value.field == "cause"


def test_pages_show_pictures_and_link_files_of_ours(services: Services, client: TestClient) -> None:
    author = key(services, "publisher")
    picture = sent(client, author, name="指示灯.png")
    manual = sent(client, author, b"%PDF-1.7\n", "manual.pdf")
    item = written(client, author, f"{picture['markdown']} {manual['markdown']}", audience="internal", publish=True)
    html = client.get(f"/a/{item}-lights", headers=key(services, "agent")).text
    assert f'<img src="/files/{picture["digest"]}/' in html
    assert 'alt="指示灯"' in html
    assert f'href="{manual["address"]}"' in html
