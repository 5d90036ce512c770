"""Passwords, keys and tokens: known by their own form, or by the word before them."""

import re
from collections.abc import Iterator

from ingest.redaction.numbers import Span

_OWN_FORM = [
    re.compile(pattern)
    for pattern in (
        r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z)",
        r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*",
        r"(?<![A-Za-z0-9])A(?:KIA|SIA|GPA|IDA|ROA)[0-9A-Z]{16}(?![A-Za-z0-9])",
        r"(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9]{30,}",
        r"(?<![A-Za-z0-9])github_pat_\w{30,}",
        r"(?<![A-Za-z0-9])glpat-[\w-]{20,}",
        r"(?<![A-Za-z0-9])xox[abeprs]-[A-Za-z0-9-]{10,}",
        r"(?<![A-Za-z0-9])AIza[\w-]{35}",
        r"(?<![A-Za-z0-9])(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}",
        r"(?<![A-Za-z0-9])whsec_[A-Za-z0-9]{16,}",
        r"(?<![A-Za-z0-9])sk-(?=[\w-]*\d)[\w-]{20,}",
        r"(?<![A-Za-z0-9])(?:npm|hf)_[A-Za-z0-9]{30,}",
        r"(?<![A-Za-z0-9])SG\.[\w-]{16,}\.[\w-]{16,}",
        r"(?<![A-Za-z0-9])LTAI[A-Za-z0-9]{12,24}(?![A-Za-z0-9])",
        r"(?<![A-Za-z0-9])AKID[A-Za-z0-9]{13,40}(?![A-Za-z0-9])",
    )
]
_IN_URL = re.compile(r"://[^\s:/@]{0,100}:([^\s/@]{1,200})@(?=[\w\[])")
_BASIC = re.compile(r"\b(?:curl|wget|http)\b[^\n]{0,200}?\s(?:-u|--user)[ =]?[\"']?[\w.@-]+:([^\s\"']+)")
_HEADER = re.compile(
    r"\b(?:bearer|basic)\s+((?=[A-Za-z+/=._~-]*\d)[A-Za-z0-9+/][A-Za-z0-9+/=._~-]{15,})", re.IGNORECASE
)
_NAMED = re.compile(
    r"""(?P<word>pass(?:word|wd|phrase|code)|\bpwd|\bpasswd|secret(?:[ _-]?(?:access)?[ _-]?key)?|api[ _-]?key
        |access[ _-]?(?:key|token)(?:[ _-]?(?:id|secret))?|auth[ _-]?token|client[ _-]?secret|\btoken
        |密码|口令|密钥|令牌)
    (?P<between>[`"'*]*[ ]{0,2}(?:(?:for|of|on|to)\ [\w\ ]{1,30}(?=[:=])|for\ [\w-]+\ )?
        (?:(?P<mark>[=:：]|=>|改成了?|改为|设为|设置为|重置为)
        |(?:was\ )?(?:re)?set\ to\b|changed\ to\b|was\b|is\b|是|为|(?P<bare>(?<=[\s\u4e00-\u9fff])))[ ]{0,3}[`"'*]*)
    (?P<value>(?:(?!&[\w-]+=)[\x21-\x7e]){4,200})""",
    re.IGNORECASE | re.VERBOSE,
)
_CODE = re.compile(
    r"(?:verification code|security code|one[ -]time code|\bOTP|\bPIN|\bPUK|验证码|校验码|PIN码|PUK码)"
    r"(?: code)?[ :：=]{0,3}(?:is |是|为)?[ `]{0,2}(\d{4,8})(?!\d)",
    re.IGNORECASE,
)
_LICENCE = re.compile(
    r"(?<![A-Za-z0-9-])(?=[A-Z0-9-]*\d)(?=[A-Z0-9-]*[A-Z])[A-Z0-9]{4,6}(?:-[A-Z0-9]{4,6}){3,7}(?![\w-])"
)
_LICENCE_CUE = re.compile(r"licen[cs]e|\bkey\b|activation|激活码|许可证|密钥|注册码|序列密钥", re.IGNORECASE)
_LICENCE_REACH = 40
_CLOSING = "`\"'*,;.!?)]}>|"
_LIKE_A_SECRET = re.compile(r"(?=.*[A-Za-z])(?=.*[\d!@#$%^&*+=?~])|(?=.*\d)(?=.*[!@#$%^&*+=?~])")
_EXAMPLES = frozenset(
    "password passwd passw0rd pass pwd secret token xxx xxxx yourpassword your_password your-password".split()
)
_DIGITS = re.compile(r"\d{6,}")


def secrets(text: str) -> Iterator[Span]:
    """Yield secrets in a text in half width; of an assignment or URL only the secret itself.

    A plain word is no secret: `Password: required`, `token expired` and "the password is wrong" stay.
    """
    for pattern in _OWN_FORM:
        for match in pattern.finditer(text):
            yield *match.span(), 1.0
    for pattern in (_IN_URL, _HEADER, _BASIC):
        for match in pattern.finditer(text):
            if match[1].lower() not in _EXAMPLES and not match[1].startswith(("<", "$", "{", "*", "//")):
                yield *match.span(1), 1.0
    for match in _NAMED.finditer(text):
        start, end = match.span("value")
        value = text[start:end]
        for closing in ("```", "`", '"', "'"):
            value = value.partition(closing)[0]
        if text[match.start("value") - 1] in "=" and ";" in value:
            value = value.partition(";")[0]
        kept = value.rstrip(_CLOSING.replace("!", "") if len(value) > 5 else _CLOSING)
        if _secret(kept, marked=match["mark"] is not None, bare=match["bare"] is not None):
            yield start, start + len(kept), 0.97
    for match in _CODE.finditer(text):
        yield *match.span(1), 0.96
    for match in _LICENCE.finditer(text):
        if _LICENCE_CUE.search(text, max(0, match.start() - _LICENCE_REACH), match.start()):
            yield *match.span(), 0.97


def _secret(value: str, *, marked: bool, bare: bool) -> bool:
    if len(value) < 6 or value.startswith(
        ("http://", "https://", "${", "{{", "<", "/", "[", "]", ")", "(", "*", "%", "-", "--", ".")
    ):
        return False
    if bare:
        return len(value) >= 8 and bool(_LIKE_A_SECRET.match(value)) and any(map(str.isdigit, value))
    return bool(_LIKE_A_SECRET.match(value)) or (marked and bool(_DIGITS.fullmatch(value)))
