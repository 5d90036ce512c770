"""Numbers that belong to a person: phones, cards, accounts, identity papers, internet addresses; and e-mail addresses.

Each rule takes a text in half width and yields spans. A number is known by its shape and check digit, or by the word
before it; the same word can say that it is something else (an order, a ticket, a version).
"""

import ipaddress
import re
from collections.abc import Iterator

from ingest.redaction import checks

Span = tuple[int, int, float]
"""Start, end, score."""

_CUE_REACH = 24
_OTHER = re.compile(
    r"(?:order|ref|ticket|case|invoice|serial|part|batch|build|version|ver|firmware|tracking|sku|ean|imei|model|note|s/n"
    r"|timestamp|uuid|id:|v|release|commit|bug|article"
    r"|订单号?|工单号?|单号|编号|编码|序列号|批次|版本号?|条形码|时间戳|流水号|合同号|设备号|串号|固件|批号|货号)"
    r"[\s.:#：为是=]*(?:no\.?|number|id|号)?[\s.:#：为是=]*$",
    re.IGNORECASE,
)
_PHONE_CUE = re.compile(
    r"(?:\b(?:(?:tele|i)?phone|tel|mobile|cell|fax|whatsapp|call(?: me)?(?: back)?|ring|text me|reach(?: me)?|dial)\b"
    r"|电话|手机|座机|致电|拨打|来电|回电|联系方式|微信|传真|热线)[^\d\n]{0,12}$",
    re.IGNORECASE,
)
_CARD_CUE = re.compile(
    r"(?:card|visa|mastercard|amex|卡号|银行卡|信用卡|储蓄卡|借记卡|[工农建招交中行]行?卡)[^\d\n]{0,10}$", re.IGNORECASE
)
_ID_CUE = re.compile(r"(?:身份证|证件|id card|identity|resident id)[^\d\n]{0,10}$", re.IGNORECASE)
_IP_CUE = re.compile(r"(?:\bip|address|from|client|host|来源|地址|主机)[^\d\n]{0,8}$", re.IGNORECASE)

_NOT_BEFORE, _NOT_AFTER = r"(?<![A-Za-z0-9_.\-/#=&+])", r"(?![A-Za-z0-9_]|[.\-]\d)"

_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+\-])[A-Za-z0-9][A-Za-z0-9._%+\-]{0,63}@(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.){1,8}"
    r"([A-Za-z]{2,24})(?![A-Za-z0-9_])(?!:[\w~./-]*/)"
)
_FILES = frozenset({"png", "jpg", "jpeg", "gif", "svg", "webp", "js", "css", "service", "json", "conf"})
_SPELT_EMAIL = re.compile(
    r"(?<![a-z0-9._+\-])[a-z0-9._+\-]{1,64} ?[(\[] ?at ?[)\]] ?[a-z0-9\-]{1,63}"
    r"(?: ?(?:[(\[] ?dot ?[)\]]|\.) ?[a-z0-9\-]{1,63}){1,6}\b",
    re.IGNORECASE,
)

_INTERNATIONAL = re.compile(r"(?<![A-Za-z0-9_+.\-/])(?:\+|00(?=[1-9]))\(?[1-9][\d ().\-]{5,20}\d(?![\d])")
_MOBILE_CN = re.compile(r"(?<![\dA-Za-z_.\-/#=])(?:86[ \-]?)?1[3-9]\d[ \-]?\d{4}[ \-]?\d{4}(?![\dA-Za-z_]|[.\-]\d)")
_LANDLINE_CN = re.compile(
    r"(?<![\dA-Za-z_.\-/#=])(?:\(0\d{2,3}\) ?|0\d{2,3}[ \-])\d{3,4}[ \-]?\d{4}(?:-\d{1,5})?(?![\dA-Za-z_]|[.\-]\d)"
)
_GROUPED = re.compile(_NOT_BEFORE + r"(?:\(\d{3}\) ?|\d{3}[.\-])\d{3}[.\-]\d{4}" + _NOT_AFTER)
_BRITISH = re.compile(_NOT_BEFORE + r"0(?:7\d{3} ?\d{3} ?\d{3}|[12]\d{2,3} \d{3} ?\d{3,4}|20 \d{4} \d{4})" + _NOT_AFTER)
_ANY_PHONE = re.compile(_NOT_BEFORE + r"\(?\d[\d ().\-]{5,18}\d" + _NOT_AFTER)
_DOTTED_OR_DAY = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}$|\d{4}-\d\d-\d\d|\d+\.\d+$")

_CARD = re.compile(r"(?<![A-Za-z0-9_.\-/#])\d(?:[ \-]?\d){13,18}(?![A-Za-z0-9_]|[.\-]\d)")
_ISSUED = re.compile(r"4\d{15}|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|(?:6011|65|64)\d{12,14}|35\d{14}|62\d{14,17}")
_RESIDENT = re.compile(
    r"(?<![A-Za-z0-9_])[1-9]\d{5}[ \-]?(?:18|19|20)\d{2} ?\d{2} ?\d{2}[ \-]?\d{3}[\dXx](?![A-Za-z0-9_])"
)
_FIFTEEN = re.compile(r"(?<![A-Za-z0-9_])[1-9]\d{14}(?![A-Za-z0-9_])")
_SSN = re.compile(_NOT_BEFORE + r"(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}" + _NOT_AFTER)
_PASSPORT = re.compile(
    r"(?:passport|护照|通行证|回乡证|台胞证|驾驶证)(?: ?(?:number|no\.?|号码?))?[ :：是为]{0,3}(?:is )?"
    r"((?=(?:[A-Z]*\d){5})[A-Z0-9]{7,12})(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ \-]?[A-Z0-9]{4}){2,7}(?:[ \-]?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")
_IPV4 = re.compile(r"(?<![A-Za-z0-9_.\-])(?:\d{1,3}\.){3}\d{1,3}(?![A-Za-z0-9_\-]|\.\d)")
_IPV6 = re.compile(r"(?<![A-Za-z0-9_:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{1,4}(?![A-Za-z0-9_:])")
_RESOLVERS = frozenset({"8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "114.114.114.114", "223.5.5.5"})
_OWN_NETS = tuple(
    ipaddress.ip_network(net)
    for net in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.168.0.0/16", "224.0.0.0/3", "::/127", "fc00::/7", "fe80::/10", "ff00::/8"),
    )
)
_VERSION_LIKE = 20
"""A dotted quad of numbers below this is taken for a version, unless a word says that it is an address."""


def emails(text: str) -> Iterator[Span]:
    """Yield e-mail addresses, spelt out (`jane (at) example (dot) com`) too; no packages, pictures or git remotes."""
    for match in _EMAIL.finditer(text):
        if match[1].lower() not in _FILES:
            yield *match.span(), 0.96
    for match in _SPELT_EMAIL.finditer(text):
        yield *match.span(), 0.8


def phones(text: str) -> Iterator[Span]:
    """Yield international, Chinese, North American and British numbers, and any after a word such as `phone` or 电话.

    Short numbers and the 400 and 800 lines of companies belong to no person.
    """
    for match in _INTERNATIONAL.finditer(text):
        end = match.start() + len(match[0].rstrip(" (.-"))
        digits = "+" + re.sub(r"\D", "", match[0]).removeprefix("00")
        if _dialled(digits) and not _other(text, match.start()):
            yield match.start(), end, 0.95
    for pattern in (_MOBILE_CN, _LANDLINE_CN, _GROUPED, _BRITISH):
        for match in pattern.finditer(text):
            if _companys(re.sub(r"\D", "", match[0])):
                continue
            if _cue(_PHONE_CUE, text, match.start()) or not _other(text, match.start()):
                yield *match.span(), 0.9
    for match in _ANY_PHONE.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        none = _companys(digits) or _DOTTED_OR_DAY.match(match[0])
        if 7 <= len(digits) <= 15 and not none and _cue(_PHONE_CUE, text, match.start()):
            yield *match.span(), 0.7


def cards(text: str) -> Iterator[Span]:
    """Yield bank and credit cards: a known issuer's range and a right check digit (Luhn), or after a word for one."""
    for match in _CARD.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        cue = _cue(_CARD_CUE, text, match.start())
        if len(digits) == len(match[0]) > 19:
            continue
        issued = _ISSUED.fullmatch(digits) is not None and checks.luhn(digits)
        if cue or (issued and not _other(text, match.start())):
            yield *match.span(), 0.98 if issued else 0.75


def identities(text: str) -> Iterator[Span]:
    """Yield Chinese resident ID numbers (18 characters by check digit; any, and 15, after 身份证), SSNs, passports."""
    for match in _RESIDENT.finditer(text):
        right = checks.resident_id(re.sub(r"[ \-]", "", match[0]))
        if right or _cue(_ID_CUE, text, match.start()):
            yield *match.span(), 1.0 if right else 0.85
    for match in _FIFTEEN.finditer(text):
        if _cue(_ID_CUE, text, match.start()):
            yield *match.span(), 0.85
    for match in _SSN.finditer(text):
        if not _other(text, match.start()):
            yield *match.span(), 0.92
    for match in _PASSPORT.finditer(text):
        yield *match.span(1), 0.9


def ibans(text: str) -> Iterator[Span]:
    """Yield international bank account numbers with a right check number."""
    for match in _IBAN.finditer(text):
        if checks.iban(re.sub(r"[ \-]", "", match[0])):
            yield *match.span(), 1.0


def internet_addresses(text: str) -> Iterator[Span]:
    """Yield public IPv4 and IPv6 addresses; private networks, loopback and well-known resolvers belong to no person."""
    for match in (*_IPV4.finditer(text), *_IPV6.finditer(text)):
        try:
            address = ipaddress.ip_address(match[0])
        except ValueError:
            continue
        if match[0] in _RESOLVERS or any(address in net for net in _OWN_NETS if net.version == address.version):
            continue
        version_like = address.version == 4 and all(int(part) < _VERSION_LIKE for part in match[0].split("."))
        if _cue(_IP_CUE, text, match.start()) or not (version_like or _other(text, match.start())):
            yield *match.span(), 0.9


def _companys(digits: str) -> bool:
    return len(digits) == 10 and digits.startswith(("400", "800"))


def _dialled(number: str) -> bool:
    """Say whether `+` and digits begin with the code of a country and are 9 to 15 (ITU-T E.164)."""
    import phonenumbers  # its tables of all countries: only who looks for numbers waits for them

    try:
        phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return False
    return 9 <= len(number) - 1 <= 15


def _other(text: str, start: int) -> bool:
    return _cue(_OTHER, text, start)


def _cue(pattern: re.Pattern[str], text: str, start: int) -> bool:
    return pattern.search(text, max(0, start - _CUE_REACH), start) is not None
