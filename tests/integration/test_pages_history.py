"""The page of an item's revisions: compared so that it can be heard as well as seen, and brought back."""

from fastapi.testclient import TestClient

from api.services import Services
from api.web.differing import pieces
from kb.differences import segments
from tests.integration.test_editing import FORM, client, sign_in

__all__ = ["client"]


def written(services: Services, client: TestClient) -> None:
    """KB-1: published, then changed twice."""
    sign_in(services, client, "publisher")
    client.post("/edit/new", data={**FORM, "action": "publish"})
    client.post("/edit/KB-1", data={**FORM, "issue": "Red <b>lamp</b>", "based_on": "1", "message": "a <i>lamp</i>"})
    client.post("/edit/KB-1", data={**FORM, "issue": "Green lamp", "based_on": "2"})


def test_revisions_are_listed_and_compared(services: Services, client: TestClient) -> None:
    written(services, client)
    page = client.get("/edit/KB-1/history").text
    assert page.index("Revision 3") < page.index("Revision 2") < page.index("Revision 1")
    assert page.count("readers see it") == 1
    assert "a &lt;i&gt;lamp" in page
    compared = client.get("/edit/KB-1/history?old=3&new=2").text
    assert "From revision 2 to revision 3" in compared, "the older one first, however they are chosen"
    assert "<del>" in compared
    assert "removed: </span>Red" in compared
    assert "added: </span>Green" in compared
    assert "<b>lamp" not in compared
    assert "Both say the same" in client.get("/edit/KB-1/history?old=2&new=2").text
    assert client.get("/edit/KB-1/history?old=1&new=9", headers={"Accept": "text/html"}).status_code == 404
    assert client.get("/edit/KB-1/history?old=x&new=9").status_code == 200
    assert "从第1版到第3版" in client.get("/edit/KB-1/history?old=1&new=3&hl=zh").text


def test_a_staged_edit_says_which_revision_readers_see(services: Services, client: TestClient) -> None:
    written(services, client)
    page = client.get("/edit/KB-1").text
    assert "Readers see revision 1; this is revision 3." in page
    assert "/edit/KB-1/history?old=1&amp;new=3" in page
    client.post("/edit/KB-1", data={**FORM, "issue": "Green lamp", "based_on": "3", "action": "publish"})
    assert "this is revision" not in client.get("/edit/KB-1").text


def test_a_revision_is_brought_back_as_a_new_one(services: Services, client: TestClient) -> None:
    written(services, client)
    stale = client.post("/edit/KB-1/restore", data={"revision": "1", "based_on": "2"})
    assert (stale.status_code, "Revision 4" in stale.text) == (409, False)
    same = client.post("/edit/KB-1/restore", data={"revision": "3", "based_on": "3"})
    assert same.status_code == 409
    done = client.post("/edit/KB-1/restore", data={"revision": "1", "based_on": "3"})
    assert done.headers["location"] == "/edit/KB-1?saved=restored"
    page = client.get("/edit/KB-1/history").text
    assert "Revision 1 restored" in page
    assert "Both say the same" in client.get("/edit/KB-1/history?old=1&new=4").text
    assert client.get("/v1/items/KB-1/status").json()["live_revision"] == 1, "nothing is published by it"


def test_only_those_who_write_there_see_it(services: Services, client: TestClient) -> None:
    written(services, client)
    sign_in(services, client, "agent")
    assert client.get("/edit/KB-1/history", headers={"Accept": "text/html"}).status_code == 403
    assert client.post("/edit/KB-1/restore", data={"revision": "1", "based_on": "3"}).status_code in (403, 404)


def test_what_did_not_change_is_shown_around_changes_alone() -> None:
    same = "\n".join(f"line {n}" for n in range(30))
    found = pieces(tuple(segments(f"{same}\nold\n{same}", f"{same}\nnew\n{same}")))
    assert [piece.kind for piece in found] == ["skipped", "same", "removed", "added", "same", "skipped"]
    assert "line 29" in found[1].text
    assert "line 5" not in found[1].text
    shown = sum(piece.text.count("line") for piece in found) + sum(piece.lines for piece in found)
    assert shown == 60, "each line is shown or counted"
    assert [piece.text for piece in pieces(tuple(segments("a b", "a c")))] == ["a ", "b", "c"]
