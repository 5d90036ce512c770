"""Mail archives: which mails are one thread, whose words answer, what is cut, and text in the encodings there are."""

import base64
import gzip
import quopri
from email.header import Header
from pathlib import Path

import pytest

from ingest.document import Document, Failure, Limits
from ingest.signatures import without_mail_below, without_signature
from ingest.sources import detect
from tests.unit.test_sources import found, one, reason, written

DATE = "Mon, 2 Mar 2026 10:{:02}:00 +0800"


def mail(
    number: str,
    text: str | bytes,
    *,
    by: str = "Ana Example <ana@example.org>",
    subject: str = "It fails",
    minute: int = 0,
    encoding: str = "8bit",
    kind: str = "text/plain; charset=utf-8",
    **fields: str,
) -> bytes:
    told = {
        "From": by, "Subject": subject, "Date": DATE.format(minute), "Message-ID": f"<{number}@mail.example.org>",
        "Content-Type": kind, "Content-Transfer-Encoding": encoding,
    } | {name.replace("_", "-"): value for name, value in fields.items()}  # fmt: skip
    head = "".join(f"{name}: {value}\n" for name, value in told.items() if value)
    body = text if isinstance(text, bytes) else text.encode()
    return b"From ana@example.org Mon Mar  2 10:00:00 2026\n" + head.encode("utf-8", "surrogateescape") + b"\n" + body


def archive(*mails: bytes) -> bytes:
    return b"\n\n".join(mails) + b"\n"


def to(number: str) -> str:
    return f"<{number}@mail.example.org>"


BO = "Bo Helper <bo@example.org>"


def test_a_thread_is_a_case(tmp_path: Path) -> None:
    asked = mail("1", "Hello all,\n\nit stops. Mail me at ana@example.org.\n\nBest regards,\nAna Example")
    answered = mail(
        "2",
        "On Mon, 2 Mar 2026, Ana Example wrote:\n> it stops\n\nUpdate to 2.1.\nana@example.org knows.\n-- \nBo, Shop",
        by=BO,
        subject="Re: It fails",
        minute=1,
        In_Reply_To=to("1"),
    )
    thanks = mail("3", "That helped!", subject="Re: It fails", minute=2, References=f"{to('1')} {to('2')}")
    away = mail("4", "I am away.", by="C <c@example.org>", minute=3, In_Reply_To=to("1"), Auto_Submitted="auto-replied")
    # In whatever order the mails lie, and with one of them twice.
    case = one(written(tmp_path, "list.mbox", archive(away, thanks, answered, asked, answered)))
    assert (case.title, case.kind, case.state) == ("It fails", "case", None)
    assert case.issue == "it stops. Mail me at [EMAIL_1]."
    assert case.resolution == "Update to 2.1.  \n[EMAIL_1] knows."
    assert case.updated is not None
    assert case.updated.isoformat() == "2026-03-02T02:01:00+00:00"
    assert not any(name in repr(case) for name in ("Ana", "Bo", "@"))


def test_a_thread_that_nobody_else_answered_is_a_draft(tmp_path: Path) -> None:
    again = mail("2", "Nobody?", by="Ana Example <ana@home.example.org>", minute=1, In_Reply_To=to("1"))
    case = one(written(tmp_path, "list.mbox", archive(mail("1", "It stops."), again)))
    assert (case.state, case.resolution, case.issue) == ("draft", "", "It stops.")


@pytest.mark.parametrize("said", ["Re: It fails", "回复：It fails", "答复: RE: It fails", "RE[2]: it fails"])
def test_a_reply_without_its_parent_goes_by_its_subject(tmp_path: Path, said: str) -> None:
    asked = mail("1", "It stops.")
    answered = mail("2", "Update to 2.1.", by=BO, subject=said, minute=1, References=to("gone"))
    assert one(written(tmp_path, "list.mbox", archive(asked, answered))).resolution == "Update to 2.1."


def test_the_same_subject_alone_makes_no_thread(tmp_path: Path) -> None:
    other = mail("2", "It stops here too.", by=BO, minute=1)
    assert len(found(written(tmp_path, "list.mbox", archive(mail("1", "It stops."), other)))) == 2


def test_a_thread_whose_first_mail_is_not_here_is_a_draft_of_the_same_id(tmp_path: Path) -> None:
    answers = [
        mail(number, text, by=by, subject="Re: It fails", minute=int(number), References=to("1"))
        for number, text, by in (("2", "Update.", BO), ("3", "Or restart.", "C <c@example.org>"))
    ]
    part = one(written(tmp_path, "part.mbox", archive(*answers)))
    whole = one(written(tmp_path, "whole.mbox", archive(mail("1", "It stops."), *answers)))
    assert (part.state, whole.state, part.external_id) == ("draft", None, whole.external_id)
    assert "not in the archive" in part.warnings[0]


CHINESE = "打印机无法连接，重启以后提示错误代码，请问应该怎么处理？"


@pytest.mark.parametrize("charset", ["gb2312", "gbk", "gb18030", "utf-8", "big5", "iso-2022-jp"])
@pytest.mark.parametrize("encoding", ["8bit", "base64", "quoted-printable"])
def test_text_comes_in_the_encoding_that_is_declared(tmp_path: Path, charset: str, encoding: str) -> None:
    said = {"big5": "印表機無法連線，請問怎麼處理？", "iso-2022-jp": "プリンタが動きません。"}.get(charset, CHINESE)
    data = said.encode(charset)
    packed = {"8bit": data, "base64": base64.encodebytes(data), "quoted-printable": quopri.encodestring(data)}
    subject = Header(said, charset, maxlinelen=40).encode()
    case = one(
        written(
            tmp_path,
            "list.mbox",
            mail("1", packed[encoding], subject=subject, kind=f'text/plain; charset="{charset}"', encoding=encoding),
        )
    )
    assert (case.title, case.issue) == (said, said)


@pytest.mark.parametrize(
    "kind", ["text/plain", *(f"text/plain; charset={name}" for name in ("us-ascii", "iso-8859-1"))]
)
@pytest.mark.parametrize("charset", ["gbk", "utf-8"])
def test_text_that_says_nothing_or_the_wrong_thing_of_its_encoding_is_told(
    tmp_path: Path, kind: str, charset: str
) -> None:
    data = CHINESE.encode(charset)
    raw = data.decode("ascii", "surrogateescape") if charset == "gbk" else CHINESE
    case = one(written(tmp_path, "list.mbox", mail("1", data, subject=raw, kind=kind)))
    assert (case.title, case.issue) == (CHINESE, CHINESE)


def test_utf_8_that_is_declared_gb2312_and_an_encoding_that_is_none(tmp_path: Path) -> None:
    for at, charset in enumerate(("gb2312", "x-no-such", "base64")):
        sent = mail("1", CHINESE, kind=f"text/plain; charset={charset}")
        assert one(written(tmp_path, f"{at}.mbox", sent)).issue == CHINESE


@pytest.mark.parametrize("charset", ["idna", "utf\0-16", "hz\0"])
def test_a_name_that_can_be_no_encoding_stops_nothing(tmp_path: Path, charset: str) -> None:
    sent = mail("1", CHINESE.encode("gbk"), kind=f"text/plain; charset={charset}")
    assert one(written(tmp_path, "a.mbox", sent)).issue == CHINESE


def parts(kind: str, *inside: tuple[str, str]) -> tuple[str, str]:
    text = "".join(f"--cut\nContent-Type: {said}\n\n{part}\n" for said, part in inside)
    return text + "--cut--\n", f"multipart/{kind}; boundary=cut"


def test_html_alone_is_read_as_html_and_else_plain_text(tmp_path: Path) -> None:
    page = (
        "<head><style>p {color: red}</style></head><body><p>Use <b>this</b>:</p><ol><li>Stop</li><li>Start</li></ol>"
        "<div>张三 写道：</div><blockquote>It stops.</blockquote></body>"
    )
    text, kind = parts("alternative", ("text/html", page))
    alone = one(written(tmp_path, "a.mbox", mail("1", text, kind=kind)))
    assert alone.issue == "Use **this**:\n\n1. Stop\n2. Start"
    text, kind = parts("alternative", ("text/html", page), ("text/plain", "Stop and start."))
    assert one(written(tmp_path, "b.mbox", mail("1", text, kind=kind))).issue == "Stop and start."


def test_what_is_attached_is_named_and_not_read(tmp_path: Path) -> None:
    text, kind = parts(
        "mixed", ("text/plain", "It stops."), ('text/plain; name="a [log].txt"', "Secret"), ("image/png", "Secret")
    )
    case = one(written(tmp_path, "a.mbox", mail("1", text, kind=kind)))
    assert (case.issue, case.warnings) == ("It stops.", ("attached, not read: a _log_.txt, image_png",))


def test_text_that_begins_with_from_ends_no_mail(tmp_path: Path) -> None:
    text = "It stops.\n\nFrom here on nothing works.\n\n>From 10:00 in 2026\n"
    assert one(written(tmp_path, "a.mbox", mail("1", text))).issue.split("\n\n")[1:] == [
        "From here on nothing works.", "From 10:00 in 2026",
    ]  # fmt: skip


def test_archives_are_told_by_how_they_begin_and_unpacked(tmp_path: Path) -> None:
    data = archive(mail("1", "It stops."))
    for name in ("INBOX", "2026-March.txt", "a.mbox"):
        assert detect(written(tmp_path, name, data)).name == "mbox"
        assert one(written(tmp_path, f"{name}.gz", gzip.compress(data))).issue == "It stops."
    assert one(written(tmp_path, "dos.mbox", data.replace(b"\n", b"\r\n"))).issue == "It stops."


def test_what_is_broken_is_named_with_its_place(tmp_path: Path) -> None:
    assert "'e.mbox' is empty" in reason(written(tmp_path, "e.mbox", b""))
    assert "line 1 of 'a.mbox' does not begin a mail" in reason(written(tmp_path, "a.mbox", "Hello\n"))
    assert "cannot be unpacked" in reason(written(tmp_path, "b.mbox.gz", gzip.compress(mail("1", "Hi"))[:-9]))
    bomb = written(tmp_path, "c.mbox.gz", gzip.compress(mail("1", "a" * 5000)))
    assert "unpacks to more than 4,000 bytes" in reason(bomb, limits=Limits(unpacked_bytes=4000))
    large = written(tmp_path, "d.mbox", archive(mail("1", "a" * 5000), mail("2", "Small", subject="Other")))
    failure, other = found(large, limits=Limits(file_bytes=4000))
    assert isinstance(failure, Failure)
    assert (failure.path, "the mail on line 1 has more than 4,000 bytes" in failure.reason) == ("d.mbox:1", True)
    assert isinstance(other, Document)
    assert other.issue == "Small"


def test_parts_that_are_nested_without_end_are_left_out(tmp_path: Path) -> None:
    deep = "".join(f"Content-Type: multipart/mixed; boundary=b{at}\n\n--b{at}\n" for at in range(3000))
    fine = mail("2", "Small", subject="Other", minute=1)
    outcomes = found(
        written(
            tmp_path, "a.mbox", archive(mail("1", deep.partition("\n\n")[2], kind="multipart/mixed; boundary=b0"), fine)
        )
    )
    assert isinstance(outcomes[-1], Document)
    assert outcomes[-1].issue == "Small"


@pytest.mark.parametrize(
    ("letter", "own"),
    [
        ("您好：\n\n重启即可。\n\n此致\n敬礼\n张三", "重启即可。"),
        ("重启即可。\n\n发自我的iPhone", "重启即可。"),
        ("重启即可。\n祝工作顺利！\n张三\n某某公司", "重启即可。"),
        ("重启即可。\n\n张三", "重启即可。"),
        ("重启即可。\n\n发件人：李四\n发送时间：2026年3月2日\n收件人：张三\n主题：不行\n\n不行", "重启即可。"),
        ("Restart.\n\n**From:** Bo\n**Sent:** Monday\n**To:** Ana\n**Subject:** No\n\nNo", "Restart."),
        ("Restart.\n_______________________________________________\nlist mailing list", "Restart."),
        ("Hi, it stops.", "Hi, it stops."),
        ("Restart it, thanks to the log.\nThen wait.", "Restart it, thanks to the log.\nThen wait."),
        ("From: the field of a header\nis set.", "From: the field of a header\nis set."),
    ],
)
def test_signatures_and_mails_below_are_cut(letter: str, own: str) -> None:
    assert without_signature(without_mail_below(letter), "张三") == own
