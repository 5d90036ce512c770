"""Signing in by the pages: cookies, forms that only our own pages can send, links, and the API behind a session."""

import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.routes.signing_in import own_path
from api.services import Services
from api.web.browsers import device
from kb import accounts, keys
from kb.access import SYSTEM

PASSWORD = "four plain words here"
FORM = {"email": "ana@example.org", "password": PASSWORD}


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with services.db.write() as session:
        accounts.add(session, FORM["email"], actor=SYSTEM, name="Ana Ito", role="editor", password=PASSWORD)
    with TestClient(create_app(services), raise_server_exceptions=False, follow_redirects=False) as opened:
        yield opened


def token(client: TestClient) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', client.get("/account").text)
    assert found is not None
    return found[1]


def test_a_session_is_a_cookie_that_scripts_and_other_sites_do_not_get(client: TestClient) -> None:
    assert "Sign in" in client.get("/").text
    answer = client.post("/sign-in", data={**FORM, "to": "/search?q=a"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/search?q=a")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "Ana Ito" in client.get("/").text
    me = client.get("/v1/me").json()
    assert (me["subject"], me["role"]) == ("ana@example.org", "editor")


def test_under_https_the_cookie_is_for_this_host_and_https_alone(services: Services) -> None:
    with services.db.write() as session:
        accounts.add(session, FORM["email"], actor=SYSTEM, role="editor", password=PASSWORD)
    with TestClient(create_app(services), base_url="https://help.test", follow_redirects=False) as client:
        cookie = client.post("/sign-in", data=FORM).headers["set-cookie"]
        assert cookie.startswith("__Host-session=")
        assert "Secure" in cookie
        assert client.get("/v1/me").json()["role"] == "editor"


def test_forms_of_other_sites_change_nothing(client: TestClient) -> None:
    assert client.post("/sign-in", data=FORM, headers={"Origin": "https://elsewhere.test"}).status_code == 403
    assert client.post("/sign-in", data=FORM, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    client.post("/sign-in", data=FORM)
    body = {"title": "A", "publish": True}
    assert client.post("/v1/items", json=body).status_code == 403, "a session alone is not enough to write"
    assert client.post("/v1/items", json=body, headers={"X-CSRF-Token": "0" * 64}).status_code == 403
    assert client.post("/sign-out").status_code == 403
    assert client.post("/v1/items", json=body, headers={"X-CSRF-Token": token(client)}).status_code == 201
    assert client.post("/v1/items", json=body, headers={"Authorization": "Bearer aw_x"}).status_code == 401


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) Chrome/156.0 Safari/537.36", "Chrome, Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/156.0 Safari/537.36 Edg/156.0", "Edge, Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1", "Safari, iPhone"),
        ("curl/8.5", ""),
    ],
)
def test_a_browser_is_named_as_people_know_it(said: str, shown: str) -> None:
    assert device(said) == shown


def test_signing_out_here_and_everywhere(client: TestClient) -> None:
    def role(cookie: str) -> str:
        client.cookies.clear()
        return str(client.get("/v1/me", headers={"Cookie": f"session={cookie}"}).json()["role"])

    client.post("/sign-in", data=FORM)
    kept = client.cookies["session"]
    assert client.post("/sign-out", data={"csrf": token(client)}).status_code == 303
    assert role(kept) == "anonymous", "the session is gone, not only the cookie"
    client.post("/sign-in", data=FORM)
    other = client.cookies["session"]
    client.cookies.clear()
    client.post("/sign-in", data=FORM)
    assert client.post("/v1/me/sign-out", headers={"X-CSRF-Token": token(client)}).status_code == 204
    assert role(other) == "anonymous"


@pytest.mark.parametrize(("lang", "said"), [("en", "is wrong, or the account"), ("zh", "邮箱地址或密码不正确")])
def test_a_wrong_password_says_nothing_of_which_accounts_there_are(client: TestClient, lang: str, said: str) -> None:
    for email in (FORM["email"], "nobody@example.org", "no address"):
        answer = client.post(f"/sign-in?hl={lang}", data={"email": email, "password": "wrong"})
        assert answer.status_code == 401
        assert said in answer.text
    for _ in range(12):
        answer = client.post("/sign-in", data={"email": "nobody@example.org", "password": "wrong"})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


def test_an_invitation_makes_a_password_and_opens_once(client: TestClient, services: Services) -> None:
    with services.db.write() as session:
        _, secret = accounts.add(session, "li@example.org", actor=SYSTEM, role="agent")
    page = client.get(f"/welcome/{secret}")
    assert "li@example.org" in page.text
    assert page.headers["referrer-policy"] == "same-origin", "the address is the secret"
    form = {"name": "Li", "password": "short", "again": "short"}
    assert client.post(f"/welcome/{secret}", data=form).status_code == 422
    form = {"name": "Li", "password": PASSWORD, "again": PASSWORD + "x"}
    assert "not the same" in client.post(f"/welcome/{secret}", data=form).text
    assert client.post(f"/welcome/{secret}", data={**form, "again": PASSWORD}).headers["location"] == "/account"
    assert client.get("/v1/me").json()["subject"] == "li@example.org"
    answer = client.get(f"/welcome/{secret}", headers={"Accept": "text/html"})
    assert (answer.status_code, "opens nothing any more" in answer.text) == (401, True)


def test_changing_the_password_ends_all_sessions(client: TestClient) -> None:
    client.post("/sign-in", data=FORM)
    other = "another plain sentence"
    form = {"csrf": token(client), "old": "wrong", "password": other, "again": other}
    assert client.post("/account/password", data=form).status_code == 401
    assert client.post("/account/password", data={**form, "old": PASSWORD}).headers["location"].startswith("/sign-in")
    assert client.get("/v1/me").json()["role"] == "anonymous"
    assert client.post("/sign-in", data={**FORM, "password": other}).status_code == 303


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("/search?q=a", "/search?q=a"),
        ("//elsewhere.test", ""),
        ("https://elsewhere.test/", ""),
        ("/\\elsewhere.test", ""),
        ("javascript:alert(1)", ""),
        ("/a\r\nb", ""),
        ("", ""),
    ],
)
def test_nobody_is_sent_elsewhere_after_signing_in(given: str, kept: str) -> None:
    assert own_path(given) == kept


def test_keys_open_only_what_they_are_for(client: TestClient, services: Services) -> None:
    with services.db.write() as session:
        secret = keys.add(session, "panel", "admin", actor=SYSTEM, permissions=["read"])
    headers = {"Authorization": f"Bearer {secret}"}
    assert client.get("/v1/search?q=a", headers=headers).status_code == 200
    for method, path, needed in (
        ("POST", "/v1/items", "write"),
        ("POST", "/v1/events", "events"),
        ("GET", "/v1/accounts", "admin"),
        ("GET", "/v1/audit", "admin"),
    ):
        answer = client.request(method, path, headers=headers, json={} if method == "POST" else None)
        assert (answer.status_code, f"'{needed}'" in answer.text) == (403, True), path


def test_accounts_keys_spaces_and_the_audit_log_by_the_api(client: TestClient, services: Services) -> None:
    with services.db.write() as session:
        admin = {"Authorization": f"Bearer {keys.add(session, 'boss', 'admin', actor=SYSTEM)}"}
        agent = {"Authorization": f"Bearer {keys.add(session, 'agent', 'agent', actor=SYSTEM)}"}
    assert client.post("/v1/spaces", json={"key": "lake", "name": "Lake"}, headers=admin).json()["parent"] == "main"
    li = {"email": "li@example.org", "role": "agent", "space": "lake"}
    made = client.post("/v1/accounts", json=li, headers=admin)
    assert (made.status_code, made.json()["account"]["state"]) == (201, "invited")
    assert client.get(made.json()["link"]).status_code == 200
    local = {"name": "local", "role": "admin", "space": "lake", "days": 1}
    key = client.post("/v1/keys", json=local, headers=admin).json()["key"]
    lake = {"Authorization": f"Bearer {key}"}
    path = "/v1/accounts/ana@example.org"
    shown = client.put(f"{path}/grants", json={"role": "agent", "space": "lake"}, headers=lake).json()
    assert shown["grants"] == [{"role": "agent", "space": "lake"}], "its roles elsewhere are not told"
    assert client.post(f"{path}/reset", headers=lake).status_code == 403
    assert client.put(f"{path}/grants", json={"role": "admin"}, headers=lake).status_code == 403
    assert client.get("/v1/accounts", headers=agent).status_code == 403
    assert [row["email"] for row in client.get("/v1/accounts", headers=lake).json()["accounts"]] == [
        "ana@example.org",
        "li@example.org",
    ]
    assert [row["name"] for row in client.get("/v1/keys", headers=lake).json()["keys"]] == ["local"]
    rows = client.get("/v1/audit", params={"target": "ana@example.org"}, headers=admin).json()["rows"]
    assert (rows[0]["action"], rows[0]["actor"], rows[0]["space"]) == ("account.grant", "key:local", "lake")
    assert client.delete("/v1/keys/local", headers=admin).status_code == 204
    assert client.get("/v1/keys", headers=lake).status_code == 401
    assert [space["key"] for space in client.get("/v1/spaces").json()["spaces"]] == ["main"]


def test_people_are_invited_granted_and_closed_on_the_page(client: TestClient, services: Services) -> None:
    assert client.get("/people").headers["location"].startswith("/sign-in")
    client.post("/sign-in", data=FORM)
    assert client.get("/people", headers={"Accept": "text/html"}).status_code == 403
    with services.db.write() as session:
        accounts.add(session, "boss@example.org", actor=SYSTEM, role="admin", password=PASSWORD)
    client.cookies.clear()
    client.post("/sign-in", data={**FORM, "email": "boss@example.org"})
    csrf = {"csrf": token(client)}
    new = {**csrf, "action": "add", "email": "li@example.org", "role": "agent", "groups": "plan:gold, legal"}
    made = client.post("/people", data=new)
    link = re.search(r"http://testserver(/welcome/[\w-]+)", made.text)
    assert link is not None
    assert client.get(link[1]).status_code == 200
    li = {**csrf, "email": "li@example.org"}
    assert client.post("/people", data={**li, "action": "grant", "role": "editor", "space": "main"}).status_code == 303
    assert client.post("/people", data={**li, "action": "disable"}).status_code == 303
    page = client.get("/people?hl=zh").text
    assert "已停用" in page
    assert "编辑 · Main" in page
    last = client.post("/people", data={**csrf, "email": "boss@example.org", "action": "disable"})
    assert (last.status_code, "last admin" in last.text) == (409, True)
    assert client.post("/people", data={**li, "action": "enable", "csrf": "x"}).status_code == 403
    log = client.get("/audit?target=li@example.org").text
    assert "account.disable" in log
    assert "legal" in log
