"""What mail programs and manners put around a message: who is quoted in full below, greetings, signatures, footers."""

import re

_FIELD_BELOW = re.compile(
    r"[\s*_]*(from|to|cc|sent|date|subject|发件人|发送时间|发送日期|日期|时间|收件人|抄送|主题|寄件者|收件者)[\s*_]*[:：]",
    re.IGNORECASE,
)
_FROM = frozenset(["from", "发件人", "寄件者"])
_HEADER_FIELDS = 3
"""Lines of a header that show that a whole mail follows."""
_FOOTER = re.compile(r"_{30,}|-{5,}\s*next part\s*-{5,}", re.IGNORECASE)
_DASHES = re.compile(r"\\?--\s?")
_PROGRAM = re.compile(
    r"(?:sent from (?:my|mail for)\b|get outlook for\b|发自我的|从我的.{1,20}发送|来自我的|发送自"
    r"|来自\s?(?:QQ|网易|阿里)|获取\s?outlook).{0,60}",
    re.IGNORECASE,
)
_FAREWELL = re.compile(
    r"(?:(?:best|kind|warm)\s+)?(?:regards|wishes)\b.{0,40}|rgds\b.{0,40}|cheers\b.{0,20}|(?:yours\s+)?sincerely\b.{0,20}"
    r"|(?:many )?thanks?(?: you| in advance)?[,.!]?|have fun[,.!]?"
    r"|此致.{0,6}|敬礼.{0,3}|祝好.{0,3}|谢谢[!！。,，]?|多谢[!！。]?"
    r"|顺[颂祝].{0,8}|祝.{0,8}(?:愉快|顺利|安康|好)[!！。]?|商祺[!！。]?",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"(?:hi|hello|hey|dear|hallo)(?:(?: [^\s,.?:!]{1,20}){0,3} ?[,!:]|(?: [^\s,.?:!]{1,20})?)"
    r"|(?:尊敬的|亲爱的).{1,20}[，,：:!！]?"
    r"|.{0,12}(?:您好|你好|大家好)[，,：:!！。]?",
    re.IGNORECASE,
)
_LINES_BELOW = 12
"""Most lines that a signature has."""
_SHORT = 40


def without_mail_below(text: str) -> str:
    """Return a reply without the mail that is put below it with its header, and without a footer of a list."""
    lines = text.split("\n")
    for at, line in enumerate(lines):
        if _FOOTER.fullmatch(line.strip()):
            return "\n".join(lines[:at])
        found = _FIELD_BELOW.match(line)
        if found and found[1].casefold() in _FROM:
            below = [part for part in lines[at : at + 8] if part.strip()][:_HEADER_FIELDS]
            if len(below) == _HEADER_FIELDS and all(map(_FIELD_BELOW.match, below)):
                return "\n".join(lines[:at])
    return text


def without_signature(text: str, name: str) -> str:
    """Return a message without its greeting and signature. `name`: of who wrote it, whose lines are cut anywhere."""
    names = {name.casefold(), *name.casefold().split()} - {""}
    lines = [line for line in text.strip().split("\n") if line.strip(" \t,.-—*").casefold() not in names]
    if lines and _GREETING.fullmatch(lines[0].strip()):
        del lines[0]
    said = [at for at, line in enumerate(lines) if line.strip()]
    for at in said[-_LINES_BELOW - 1 :]:
        line = lines[at]
        farewell = _FAREWELL.fullmatch(line.strip()) and all(len(part.strip()) <= _SHORT for part in lines[at + 1 :])
        if _DASHES.fullmatch(line) or _PROGRAM.fullmatch(line.strip()) or farewell:
            return "\n".join(lines[:at]).strip("\n")
    return "\n".join(lines).strip("\n")
