"""The command line is a contract: its JSON, its exit codes, its words for bad input."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import api.services
from api import cli
from api.commands.common import progress_line
from tests.fakes import fake

Run = Callable[..., tuple[int, Any, str]]


@pytest.fixture
def kb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the command line with the fake embedder on a data folder; return exit code, output and error output."""
    monkeypatch.setattr(api.services, "load_embedder", lambda name, *_, **__: fake(name))
    monkeypatch.setenv("KB_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, Any, str]:
        monkeypatch.setattr("sys.argv", ["kb", *arguments])
        code = 0
        try:
            cli.main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        out, err = capfd.readouterr()
        return code, json.loads(out) if "--json" in arguments and out else out, err

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "reset.md").write_text(
        "# Reset the router\n\nHold the reset button for twelve seconds.\n", encoding="utf-8"
    )
    (docs / "pay.md").write_text(
        "---\ntitle: Pay an invoice\naudience: internal\n---\nPay by card.\n", encoding="utf-8"
    )
    (docs / "重置.md").write_text("# 重置路由器\n\n按住重置键十二秒，直到灯闪烁。\n", encoding="utf-8")
    return docs


def test_ingest_search_ask_verify(kb: Run, folder: Path) -> None:
    code, report, _ = kb("ingest", str(folder), "--json")
    assert code == 0
    assert (report["added"], report["updated"], report["unchanged"], report["retired"], report["failed"]) == (
        3,
        0,
        0,
        0,
        [],
    )
    assert report["passages"] == 3
    assert report["seconds"] > 0
    code, again, _ = kb("ingest", str(folder), "--json")
    assert (code, again["added"], again["updated"], again["unchanged"], again["passages"]) == (0, 0, 0, 3, 0)
    code, result, _ = kb("search", "Reset the router", "--json", "--limit", "5")
    assert code == 0
    hit = result["hits"][0]
    assert (hit["external_id"], hit["kind"], hit["title"]) == ("reset.md", "article", "Reset the router")
    assert set(hit["legs"]) == {"dense", "lexical"}
    assert result["corrected"] is None
    assert kb("search", "rest the ruoter", "--json")[1]["corrected"] == "rest the router"
    assert kb("search", "rest the ruoter", "--json", "--exact")[1]["corrected"] is None
    assert "Searched for: router" in kb("search", "ruoter")[1]
    assert "Searched for: router" in kb("ask", "ruoter")[1]
    assert {"embed", "dense", "lexical", "fuse", "total"} <= set(result["took_ms"])
    assert "Pay an invoice" not in json.dumps(result)
    _, staff, _ = kb("search", "Pay an invoice", "--as", "agent", "--json")
    assert staff["hits"][0]["title"] == "Pay an invoice"
    code, said, _ = kb("ask", "Reset the router", "--json")
    assert (code, said["band"], said["citations"][0]["n"], said["citations"][0]["external_id"]) == (
        0,
        "answer",
        1,
        "reset.md",
    )
    code, checked, _ = kb("verify", "--json")
    assert (code, checked["faults"], checked["passages"]) == (0, [], 3)
    code, rebuilt, _ = kb("rebuild", "--json")
    assert (code, rebuilt["passages"]) == (0, 3)
    assert kb("verify", "--json")[0] == 0
    assert kb("doctor")[0] in (0, 4)


def test_changed_gone_and_come_back(kb: Run, folder: Path) -> None:
    kb("ingest", str(folder), "--json")
    (folder / "reset.md").write_text("# Reset the router\n\nHold it for thirteen seconds.\n", encoding="utf-8")
    pay = (folder / "pay.md").read_text(encoding="utf-8")
    (folder / "pay.md").unlink()
    _, report, _ = kb("ingest", str(folder), "--json")
    assert (report["updated"], report["unchanged"], report["retired"]) == (1, 1, 0)
    _, report, _ = kb("ingest", str(folder), "--prune", "--json")
    assert (report["updated"], report["unchanged"], report["retired"]) == (0, 2, 1)
    assert kb("search", "Pay an invoice", "--as", "agent", "--json")[1]["hits"][0]["title"] != "Pay an invoice"
    (folder / "pay.md").write_text(pay, encoding="utf-8")
    _, report, _ = kb("ingest", str(folder), "--json")
    assert (report["updated"], report["unchanged"]) == (1, 2)
    assert kb("search", "Pay an invoice", "--as", "agent", "--json")[1]["hits"][0]["title"] == "Pay an invoice"
    assert kb("verify", "--json")[1]["faults"] == []


def test_a_bad_file_is_named_and_the_rest_goes_on(kb: Run, folder: Path) -> None:
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 this is not one")
    (folder / "bad.md").write_text("---\n- not a mapping\n---\nText", encoding="utf-8")
    code, report, _ = kb("ingest", str(folder), "--json")
    assert code == 3
    assert report["added"] == 3
    assert sorted(Path(failure["path"]).name for failure in report["failed"]) == ["bad.md", "broken.pdf"]
    assert all(failure["reason"] for failure in report["failed"])
    code, report, _ = kb("ingest", str(folder), "--prune", "--json")
    assert report["retired"] == 0


def test_export_and_import_round_trip(kb: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kb("ingest", str(folder), "--json")
    assert (
        kb("export", str(tmp_path / "all.jsonl"), "--json")[1]["lines"] == 11
    )  # header, space, 3 items, 6 of the audit log
    monkeypatch.setenv("KB_DATA", str(tmp_path / "second"))
    assert kb("import", str(tmp_path / "all.jsonl"), "--json")[1]["items"] == 3
    assert kb("export", str(tmp_path / "again.jsonl"))[0] == 0
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "all.jsonl").read_bytes()
    assert kb("search", "重置路由器", "--json")[1]["hits"][0]["external_id"] == "重置.md"
    assert kb("ingest", str(folder), "--json")[1]["unchanged"] == 3, "the second one knows what the first has ingested"


def test_backup_and_restore(kb: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kb("ingest", str(folder), "--json")
    code, copied, _ = kb("backup", str(tmp_path / "safe"), "--json")
    assert (code, copied["files"]) == (0, 0)
    assert "is there already" in " ".join(kb("backup", str(tmp_path / "safe"))[2].split())
    assert "has rows already" in " ".join(kb("restore", str(tmp_path / "safe"))[2].split())
    monkeypatch.setenv("KB_DATA", str(tmp_path / "second"))
    assert kb("restore", str(tmp_path / "safe"), "--json")[1]["rows"] == copied["rows"]
    assert kb("search", "重置路由器", "--json")[1]["hits"][0]["external_id"] == "重置.md"
    assert kb("verify")[0] == 0
    monkeypatch.setenv("KB_DATA", str(tmp_path / "safe"))
    assert kb("search", "重置路由器", "--json")[1]["hits"][0]["external_id"] == "重置.md", "a backup is a data folder"


def test_spaces_and_keys(kb: Run) -> None:
    assert kb("space", "add", "lake", "--name", "Lake")[0] == 0
    assert kb("space", "list", "--json")[1]["spaces"][1] == {"key": "lake", "name": "Lake", "parent": "main"}
    code, made, _ = kb("key", "add", "panel", "--role", "agent", "--json")
    assert (code, made["key"][:3]) == (0, "aw_")
    assert made["key"] not in json.dumps(kb("key", "list", "--json")[1])
    assert kb("key", "revoke", "panel")[0] == 0


def test_the_demo_loads_once(kb: Run) -> None:
    code, report, _ = kb("demo", "--no-serve", "--json")
    assert (code, report["failed"]) == (0, [])
    assert report["added"] >= 160
    assert kb("demo", "--no-serve", "--json")[1]["unchanged"] == report["added"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["ingest", "nowhere"], 1, "'nowhere'"),
        (["ingest", ".", "--audience", "everyone"], 1, "'everyone'"),
        (["ingest", ".", "--source", "magic"], 1, "'magic'"),
        (["ingest", ".", "--space", "moon"], 1, "'moon'"),
        (["ingest", ".", "--column", "title"], 1, "FIELD=COLUMN"),
        (["search", ""], 1, "a question is needed"),
        (["search", "x", "--as", "king"], 1, "'king'"),
        (["search", "x", "--limit", "0"], 1, "limit is 1 to 100"),
        (["ask", "\x00"], 1, "a question is needed"),
        (["import", "nowhere.jsonl"], 1, "'nowhere.jsonl'"),
        (["key", "revoke", "none"], 1, "'none'"),
        (["key", "add", "x", "--role", "king"], 1, "'king'"),
        (["nonsense"], 2, "nonsense"),
        (["search"], 2, "QUESTION"),
        (["serve", "--host", "256.1.1.1"], 1, "256.1.1.1"),
    ],
)
def test_bad_calls_say_what_and_how(kb: Run, arguments: list[str], code: int, says: str) -> None:
    left, out, err = kb(*arguments)
    assert left == code
    assert says in " ".join((out + err).split())
    assert "Traceback" not in err


def test_errors_as_json(kb: Run) -> None:
    code, said, _ = kb("search", "", "--json")
    assert (code, said["error"]["code"], said["error"]["field"]) == (1, "invalid_input", "q")


def test_an_unknown_setting_is_refused(kb: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KB_PROT", "1")
    code, _, err = kb("search", "x")
    assert (code, "KB_PORT" in err) == (1, True)


@pytest.fixture
def judged(tmp_path: Path, folder: Path) -> Path:
    """Twenty judged questions about the documents of `folder`, and those documents ingested by name."""
    place = tmp_path / "judged set"
    place.mkdir()
    asked = [f"reset the router, {n} seconds" for n in range(10)] + [f"重置路由器 {n}" for n in range(10)]
    lines = [json.dumps({"_id": f"q{n}", "text": text}) for n, text in enumerate(asked)]
    (place / "queries.jsonl").write_text("\n".join(lines), encoding="utf-8")
    rows = [f"q{n}\t{'reset.md' if n < 10 else '重置.md'}\t1" for n in range(20)]
    (place / "qrels.tsv").write_text("\n".join(rows), encoding="utf-8")
    return place


def test_another_model_is_built_judged_switched_to_and_gone_back_from(kb: Run, folder: Path, judged: Path) -> None:
    kb("ingest", str(folder))
    code, result, err = kb("generation", "build", "--embedder", "other", "--json")
    assert (code, result["generation"], result["switched"]) == (4, 2, False), err
    assert "too few" in result["judged"]["refusal"]
    code, listed, _ = kb("generation", "list", "--json")
    assert [(row["number"], row["state"], row["embedder"], row["percent"]) for row in listed["generations"]] == [
        (1, "active", "e5-small", 100),
        (2, "building", "other", 100),
    ]
    code, result, _ = kb("generation", "switch", "2", "--judged", str(judged), "--json")
    assert (code, result["switched"], result["forced"], result["judged"]["questions"]) == (0, True, False, 20)
    _, found, _ = kb("search", "Reset the router", "--json")
    assert found["hits"][0]["external_id"] == "reset.md"
    assert kb("verify")[0] == 0
    code, said, _ = kb("generation", "rollback")
    assert code == 0
    assert "Searched is now generation 1" in said
    assert "generation 1" in kb("doctor")[1]
    code, _, err = kb("generation", "switch", "1")
    assert (code, "searched already" in err) == (1, True)
    code, _, err = kb("generation", "remove", "1")
    assert (code, "switch to another first" in err) == (1, True)
    assert kb("generation", "remove", "2")[0] == 0
    code, _, err = kb("generation", "rollback")
    assert (code, "none is kept" in err) == (1, True)


def test_a_generation_that_fares_worse_is_refused_by_name_unless_forced(kb: Run, folder: Path, judged: Path) -> None:
    kb("ingest", str(folder))
    wrong = json.dumps({"_id": "q0", "text": "reset the router"})
    (judged / "queries.jsonl").write_text(wrong, encoding="utf-8")
    code, said, _ = kb("generation", "build", "--passage-tokens", "64", "--judged", str(judged))
    assert code == 4
    assert "Not switched: too few questions are judged: 1" in said
    assert "kb generation switch 2" in said
    code, said, _ = kb("generation", "build", "--passage-tokens", "64", "--judged", str(judged), "--force")
    assert code == 0
    assert "Searched is now generation 2 although too few questions are judged: 1" in said
    _, result, _ = kb("generation", "build", "--force", "--json")
    assert (result["generation"], result["switched"]) == (1, True), "the settings ask for 400 tokens: that one is kept"


def test_rebuild_makes_another_generation_of_the_same_kind(kb: Run, folder: Path) -> None:
    kb("ingest", str(folder))
    code, result, _ = kb("rebuild", "--json")
    assert (code, result["generation"], result["passages"]) == (0, 2, 3)
    states = [(row["number"], row["state"]) for row in kb("generation", "list", "--json")[1]["generations"]]
    assert states == [(1, "removing"), (2, "active")]
    assert kb("verify")[0] == 0


def test_bad_input_to_generation(kb: Run, folder: Path, tmp_path: Path) -> None:
    kb("ingest", str(folder))
    for arguments, words in (
        (("build",), "nothing to build"),
        (("build", "--embedder", "missing"), "'missing' is not here"),
        (("build", "--analyzer", "9"), "no analyzer '9'"),
        (("switch", "7"), "no generation 7"),
        (("remove", "7"), "no generation 7"),
    ):
        code, _, err = kb("generation", *arguments)
        assert (code, words in err) == (1, True), (arguments, err)
    assert kb("generation", "build", "--judged", str(tmp_path / "nowhere"))[0] == 2
    (tmp_path / "empty").mkdir()
    code, _, err = kb("generation", "build", "--passage-tokens", "80", "--judged", str(tmp_path / "empty"))
    assert (code, "queries.jsonl" in err) == (1, True), err


def test_progress_without_a_terminal_says_how_long_it_takes_yet() -> None:
    assert progress_line(0, 100, 5.0) == "0 of 100"
    assert progress_line(25, 100, 5.0) == "25 of 100, about 15 s left"
    assert progress_line(100, 100, 5.0) == "100 of 100"
    assert progress_line(1234, None, 5.0) == "1,234"


def test_fixed_answers_are_written_approved_listed_and_retired(kb: Run, tmp_path: Path) -> None:
    text = tmp_path / "answer.md"
    text.write_text("Write to us.", encoding="utf-8")
    dates = ("--review", "2099-01-01", "--expires", "2099-02-01")
    words = ("How do I cancel?", str(text), "--wording", "cancel", "--audience", "public")
    code, row, _ = kb("answers", "add", *words, *dates, "--json")
    assert (code, row["item"], row["state"]) == (0, "KB-1", "in_review")
    code, row, _ = kb("answers", "approve", "KB-1", "--json")
    assert (code, row["state"], row["review"]["by_author"]) == (0, "published", True)
    _, said, _ = kb("ask", "cancel", "--json")
    assert (said["text"], said["fixed"]["expires_at"]) == ("Write to us.", "2099-02-01T00:00:00+00:00")
    _, shown, _ = kb("ask", "cancel")
    assert "written for this question, reviewed on" in shown
    assert kb("answers", "list", "--due", "today", "--json")[1]["answers"] == []
    assert [one["item"] for one in kb("answers", "list", "--due", "2099-01-01", "--json")[1]["answers"]] == ["KB-1"]
    assert "KB-1  published  en  public  review 2099-01-01" in kb("answers", "list")[1]
    assert kb("answers", "submit", "KB-1", "--expires", "2099-03-01", "--json")[0] == 0
    assert kb("answers", "retire", "KB-1")[0] == 0
    assert kb("ask", "cancel", "--json")[1]["fixed"] is None
    for wrong, says in (
        (("approve", "KB-1"), "submit it first"),
        (("approve", "KB-7"), "no item 'KB-7'"),
        (("list", "--due", "soon"), "such as 2027-03-31"),
        (("add", "Why?", str(tmp_path / "none.md")), "cannot be read"),
    ):
        code, _, err = kb("answers", *wrong)
        assert (code, says in " ".join(err.split())) == (1, True), (wrong, err)


def test_without_a_question_lines_are_a_conversation(kb: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kb("ingest", str(folder))
    lines = "Reset the router\n\nhow long does it take?\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    code, said, _ = kb("ask", "--json")
    assert code == 0
    assert [turn["understood_as"] for turn in said["turns"]] == [None, "Reset the router how long does it take?"]
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    assert "(understood as: Reset the router how long does it take?)" in kb("ask")[1]


def test_redact_prints_the_text_or_what_was_found(kb: Run, tmp_path: Path) -> None:
    case = tmp_path / "case.md"
    case.write_text("# 宽带\n\n我叫周晓岚，电话138 1234 5678，密码是Abc@2026xy。\n", encoding="utf-8")
    code, out, err = kb("redact", str(case))
    assert (code, out) == (0, "# 宽带\n\n我叫[PERSON_1]，电话[PHONE_1]，密码是[SECRET_1]。\n")
    assert "3 found" in err
    code, out, _ = kb("redact", str(case), "--json")
    assert code == 0
    assert [(f["kind"], f["text"], f["placeholder"]) for f in out["findings"]][:2] == [
        ("PERSON", "周晓岚", "[PERSON_1]"),
        ("PHONE", "138 1234 5678", "[PHONE_1]"),
    ]


def test_redact_names_what_it_cannot_read(kb: Run, tmp_path: Path) -> None:
    assert "no file 'nope.md'" in " ".join(kb("redact", "nope.md")[2].split())
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    code, out, _ = kb("redact", str(binary), "--json")
    assert (code, out["error"]["code"]) == (1, "invalid_input")
    code, out, _ = kb("redact", str(binary), "--lang", "fr", "--json")
    assert code == 1
    (tmp_path / "a.md").write_text("Guten Tag, ich kann mich seit gestern nicht mehr anmelden.", encoding="utf-8")
    assert "--lang en finds" in " ".join(kb("redact", str(tmp_path / "a.md"))[2].split())


def test_duplicates_are_scanned_for(kb: Run, folder: Path) -> None:
    text = (folder / "reset.md").read_text(encoding="utf-8")
    (folder / "again.md").write_text(text.replace("twelve", "five"), encoding="utf-8")
    kb("ingest", str(folder))
    code, done, _ = kb("duplicates", "scan", "--json")
    assert (code, done["items"], done["open"]) == (0, 4, 1)
    assert kb("duplicates", "scan", "--json")[1] == {"changes": 0, "items": 0, "open": 1}
    code, again, _ = kb("duplicates", "scan", "--again", "--json")
    assert (code, again["items"], again["open"]) == (0, 4, 1)
    assert "1 pairs wait for a decision" in kb("duplicates", "scan")[1]
    code, told, _ = kb("eval", "contradictions", "--json")
    assert code == 0
    assert [row["lang"] for row in told] == ["en", "zh"]
