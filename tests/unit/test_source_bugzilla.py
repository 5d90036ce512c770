"""Bugzilla's bugs: which become published cases, whose words are the resolution, what is left out of comments."""

import json
from pathlib import Path
from typing import Any

import pytest

from ingest.document import Document, Failure
from ingest.letters import from_letter, without_addresses, without_quotations
from ingest.plain import plain
from ingest.redaction.findings import Placeholders
from tests.unit.test_sources import found, one, reason, written

HEAD = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes" ?>\n<!DOCTYPE bugzilla SYSTEM "https://b.example.org/b.dtd">'
)
FIELDS = {
    "short_desc": "It fails", "product": "App", "component": "Router", "version": "2.0", "rep_platform": "x86",
    "op_sys": "Linux", "resolution": "FIXED", "reporter": "asker@example.org", "assigned_to": "agent@example.org",
    "delta_ts": "2026-03-01 10:00:00 +0000",
}  # fmt: skip


def said(who: str, text: str, private: int = 0) -> str:
    by = f'<who name="The {who}">{who}@example.org</who>'
    return f'<long_desc isprivate="{private}">{by}<thetext>{text}</thetext></long_desc>'


def bug(number: int, *comments: str, more: str = "", **fields: str) -> str:
    told = "".join(f"<{name}>{value}</{name}>" for name, value in (FIELDS | fields).items())
    return f"<bug><bug_id>{number}</bug_id>{told}{more}{''.join(comments)}</bug>"


def export(*bugs: str, head: str = HEAD) -> str:
    root = '<bugzilla version="5.0" urlbase="https://b.example.org/" exporter="me@example.org">'
    return f"{head}{root}{''.join(bugs)}</bugzilla>"


def test_a_bug_is_a_case(tmp_path: Path) -> None:
    case, other = found(
        written(
            tmp_path,
            "bugs.xml",
            export(
                bug(
                    1,
                    said("asker", "It stops.\nMail me at asker@example.org, see bug 2 and bug 9."),
                    said("agent", "(In reply to The asker from comment #0)\n&gt; It stops.\n\nUpdate to 2.1."),
                    said("tester", "Verified."),
                    said("asker", "Thanks!"),
                    said("agent", "*** Bug 2 has been marked as a duplicate of this bug. ***"),
                    more="<dependson>2</dependson><keywords>crash, net</keywords>",
                ),
                bug(2, said("asker", "Help"), resolution="DUPLICATE", version="unspecified", op_sys="All"),
            ),
        )
    )
    assert isinstance(case, Document)
    assert isinstance(other, Document)
    assert (case.external_id, case.title, case.kind, case.state) == ("1", "It fails", "case", None)
    assert case.issue == "It stops.  \nMail me at [EMAIL_1], see [bug 2](/2) and bug 9."
    assert case.resolution == "Update to 2.1."
    assert (case.body, case.environment) == ("- Depends on [2](/2)", "x86, Linux")
    assert (case.products, case.versions, case.topics) == (("App",), ("2.0",), ("Router", "crash", "net"))
    assert case.url == "https://b.example.org/show_bug.cgi?id=1"
    assert (other.state, other.resolution, other.versions, other.environment) == ("draft", "", (), "x86")
    assert not any(name in repr((case, other)) for name in ("@", "The asker", "The agent"))


def test_who_solved_a_bug_of_nobody_answers(tmp_path: Path) -> None:
    comments = (said("asker", "Help"), said("helper", "Restart it."), said("asker", "That helped."))
    assert one(written(tmp_path, "a.xml", export(bug(1, *comments)))).resolution == "Restart it."
    own = bug(1, said("agent", "It stops."), said("agent", "Done in 2.1."), reporter="agent@example.org")
    assert one(written(tmp_path, "b.xml", export(own))).resolution == "Done in 2.1."


def test_what_bugzilla_shows_to_some_alone_is_not_shown_here(tmp_path: Path) -> None:
    first = one(written(tmp_path, "a.xml", export(bug(1, said("asker", "Secret", 1), said("agent", "Update.")))))
    assert (first.issue, first.resolution) == ("It fails", "Update.")
    private = bug(1, said("asker", "Help"), said("agent", "Secret", 1))
    assert "Secret" not in repr(one(written(tmp_path, "b.xml", export(private))))
    grouped = bug(1, said("asker", "Help"), said("agent", "Update."), more="<group id='5'>security</group>")
    told = one(written(tmp_path, "c.xml", export(grouped)))
    assert (told.state, told.audience) == ("draft", "internal")
    hidden = export(
        '<bug error="NotPermitted"><bug_id>7</bug_id></bug>', '<bug error="NotFound"><bug_id>8</bug_id></bug>'
    )
    (failure,) = found(written(tmp_path, "d.xml", hidden))
    assert isinstance(failure, Failure)
    assert (failure.path, "NotPermitted" in failure.reason) == ("d.xml:7", True)


def rest(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": number, "summary": "It fails", "product": "App", "component": "Router", "version": "2.0", "groups": [],
        "platform": "x86", "op_sys": "Linux", "resolution": "FIXED", "creator": "asker", "assigned_to": "agent",
        "depends_on": [], "blocks": [2], "dupe_of": None, "last_change_time": "2026-03-01T10:00:00Z", "keywords": [],
    } | fields  # fmt: skip


def test_bugs_of_the_rest_api_take_their_comments_from_beside(tmp_path: Path) -> None:
    written(tmp_path, "bugs_1.json", json.dumps({"bugs": [rest(1)]}))
    written(tmp_path, "bugs_2.json", json.dumps({"bugs": [rest(2, groups=["security"])]}))
    comments = [
        {"creator": "asker", "text": "It stops.", "is_private": False},
        {"creator": "agent", "text": "Secret", "is_private": True},
        {"creator": "agent", "text": "Update to 2.1.", "is_private": False},
    ]
    written(tmp_path, "comments.json", json.dumps({"bugs": {"1": {"comments": comments}}}))
    case, restricted = found(tmp_path)
    assert isinstance(case, Document)
    assert (case.issue, case.resolution, case.body) == ("It stops.", "Update to 2.1.", "- Blocks [2](/2)")
    assert isinstance(restricted, Document)
    assert (restricted.state, restricted.audience) == ("draft", "internal")
    assert "Secret" not in repr(case)


def test_a_document_type_is_never_read_and_declarations_are_refused(tmp_path: Path) -> None:
    """Entities that grow, that read files and that call home, defaults of attributes: each is said, none is done."""
    secret = written(tmp_path, "secret.txt", "hidden")
    for at, declared in enumerate(
        [
            '[<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]',
            f'[<!ENTITY b SYSTEM "{secret.as_uri()}">]',
            f'SYSTEM "{secret.as_uri()}" [<!ENTITY % p SYSTEM "{secret.as_uri()}"> %p;]',
            '[<!ATTLIST long_desc isprivate CDATA "0">]',
        ]
    ):
        attack = export(bug(1, said("asker", "&b;")), head=f'<?xml version="1.0"?><!DOCTYPE bugzilla {declared}>')
        told = reason(written(tmp_path, f"{at}.xml", attack))
        assert "cannot be read as XML" in told
        assert "hidden" not in told
    undeclared = export(bug(1, said("asker", "&b;")), head=HEAD.replace(' standalone="yes"', ""))
    assert "undefined entity" in reason(written(tmp_path, "undeclared.xml", undeclared))


def test_a_broken_export_is_named(tmp_path: Path) -> None:
    assert "'a.xml' cannot be read as XML" in reason(written(tmp_path, "a.xml", export(bug(1))[:-20]), "bugzilla")
    assert "not JSON" in reason(written(tmp_path, "b.json", json.dumps({"bugs": [rest(1)]})[:-3]))


@pytest.mark.parametrize(
    ("letter", "own"),
    [
        ("On Mon, Ana wrote:\n> It fails\n> badly\n\nRestart it.", "Restart it."),
        (
            "On Mon, 1 Mar 2026 at 10:00, Ana Example <ana@example.org>\nwrote:\n> It fails\n\nRestart it.",
            "Restart it.",
        ),
        ("重启即可。\n\n-----原始邮件-----\n发件人: 张三\n不行", "重启即可。"),
        ("张三 写道：\n> 不行\n重启即可。", "重启即可。"),
        ("First part.\n> quoted\nSecond part.", "First part.\n\nSecond part."),
    ],
)
def test_quotations_are_cut(letter: str, own: str) -> None:
    assert without_quotations(letter).strip() == own


def test_plain_text_reads_as_it_was_typed() -> None:
    long = "This line was wrapped by the program that it was typed in, so"
    text = f"{long}\nit goes on.\n# no heading\nuse __init__ and a*b*c <b>\nTitle\n-----\n\n    x = *y*\n"
    markdown = from_letter(text)
    assert f"{long}\nit goes on.  \n" in markdown
    shown = plain(markdown)
    assert all(part in shown for part in ("# no heading", "__init__", "a*b*c", "<b>", "-----", "x = *y*")), shown


def test_addresses_are_placeholders() -> None:
    text = "ana@example.org or bo@example.org, not ana@example.org; keep git@host:a/b.git and x@2x.png"
    assert without_addresses(text, Placeholders()) == (
        "[EMAIL_1] or [EMAIL_2], not [EMAIL_1]; keep git@host:a/b.git and x@2x.png"
    )
