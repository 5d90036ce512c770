"""What files are told to be by what they hold, and which names they get."""

import zlib
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb.errors import InvalidInput
from kb.file_types import GIF, JPEG, PDF, PNG, TEXT, WEBP, ZIP, FileType, safe_name, type_of

BEGINNINGS: list[tuple[bytes, FileType]] = [
    (b"\x89PNG\r\n\x1a\n" + b"\0" * 20, PNG),
    (b"\xff\xd8\xff\xe0\0\x10JFIF", JPEG),
    (b"GIF89a\x01\0", GIF),
    (b"RIFF\x10\0\0\0WEBPVP8 ", WEBP),
    (b"%PDF-1.7\n", PDF),
    (b"PK\x03\x04\x14\0", ZIP),
    (b"Zeit;Wert\n1;2\n", TEXT),
    ("时间,数值\n".encode("gb18030"), TEXT),
    ("\ufeff日志\n".encode(), TEXT),
]


@pytest.mark.parametrize(("data", "kind"), BEGINNINGS)
def test_the_bytes_say_what_it_is_whatever_it_is_called(data: bytes, kind: FileType) -> None:
    assert type_of(data, "anything.exe") == kind


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b'<?xml version="1.0"?>\n<!-- x --><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', "scripts"),
        (b"<!DOCTYPE  html><p>x", "scripts"),
        (b"x <SCRIPT>alert(1)</SCRIPT>", "scripts"),
        (b"MZ\x90\0\x03", "no type that is taken"),
        (b"\x7fELF\x02", "no type that is taken"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "no type that is taken"),
        ("utf-16 text".encode("utf-16"), "no type that is taken"),
        (b"text with a \x01", "no type that is taken"),
        (b"\xff\xfe\xfa\x80", "no type that is taken"),
        (zlib.compress(pack("<Q", 1) * 9), "no type that is taken"),
    ],
)
def test_what_is_not_taken_is_refused_with_its_name(data: bytes, says: str) -> None:
    with pytest.raises(InvalidInput, match=rf"'odd\.bin' .*{says}"):
        type_of(data, "odd.bin")


@pytest.mark.parametrize(
    ("name", "kind", "safe"),
    [
        ("lights.png", PNG, "lights.png"),
        ("指示灯 状态.PNG", PNG, "指示灯-状态.png"),
        ("photo.jpeg", JPEG, "photo.jpeg"),
        ("invoice.exe", TEXT, "invoice.exe.txt"),
        ("list.csv", TEXT, "list.csv"),
        ("手册.docx", ZIP, "手册.docx"),
        (r"C:\temp\a.pdf", PDF, "a.pdf"),
        ("../../etc/passwd", TEXT, "passwd.txt"),
        ("a [b](c) !.gif", GIF, "a-b-c.gif"),
        ("", PDF, "file.pdf"),
        ("__.png", PNG, "file.png"),
        (".png", PNG, "file.png"),
    ],
)
def test_names(name: str, kind: FileType, safe: str) -> None:
    assert safe_name(name, kind) == safe


@given(name=st.text(max_size=300))
def test_a_name_is_safe_in_an_address_in_markdown_and_on_disk(name: str) -> None:
    safe = safe_name(name, PDF)
    assert safe.endswith(".pdf")
    assert len(safe) <= 100
    assert not set(safe) & set("/\\()[]<>:\"'`%?#& \n\0")
    assert ".." not in safe
    assert safe_name(safe, PDF) == safe
