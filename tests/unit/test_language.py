"""Which language a text is in."""

import pytest

from retrieval.language import language


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("cant log in after update", "en"),
        ("FB-E21", "en"),
        ("reset router", "en"),
        ("登录失败", "zh"),
        ("我的 iPhone 15 Pro Max 无法连接 Wi-Fi", "zh"),
        ("請重新啟動路由器", "zh"),
        ("在 LibreOffice Writer 中插入 Table of Contents", "zh"),
        ("ログインできません", "ja"),
        ("로그인이 안 됩니다", "ko"),
        ("Meine Rechnung ist höher als im letzten Monat, warum ist das so?", "de"),
        ("Bonjour, je ne peux pas me connecter à mon compte depuis hier", "fr"),
        ("", "und"),
        ("12345 — 67", "und"),
        ("```\nprint('hello world')\n```\n登录后运行", "zh"),
    ],
)
def test_language(text: str, found: str) -> None:
    assert language(text) == found


def test_full_width_letters_are_letters() -> None:
    assert language("Ｈｏｗ ｄｏ Ｉ ｍａｋｅ ｔｅｘｔ ｂｏｌｄ ｏｎ ｇｉｔｈｕｂ？") == "en"
    assert language("ﾛｸﾞｲﾝできません") == "ja"
