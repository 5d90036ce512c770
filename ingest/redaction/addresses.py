"""Postal addresses by rule, in English and Chinese: a street with a number, and what stands beside it."""

import re
from collections.abc import Iterator

from ingest.redaction.numbers import Span

_STREET = (
    r"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Court|Ct|Boulevard|Blvd|Way|Place|Pl|Terrace|Close|Square|Sq"
    r"|Crescent|Parkway|Pkwy|Highway|Hwy|Gardens|Grove|Row|Walk|Mews|Hill|Quay|Approach|Rise|View|Circle|Cir|Trail|Alley"
    r"|Wharf|Vale|Loop|Plaza|Green|Park)"
)
_POSTCODE = r"(?:[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|\d{5}(?:-\d{4})?|[A-Z]\d[A-Z] ?\d[A-Z]\d)"
_TOWN = r"[A-Z][A-Za-z.'’-]+(?: [A-Z][a-z.'’-]+){0,2}"
_END = rf"(?:,? {_TOWN}(?:,? [A-Z]{{2}})?,? {_POSTCODE}|,? {_TOWN}, [A-Z]{{2}}\b|,? {_POSTCODE})?"
_UNIT = r"(?:Flat|Apt\.?|Apartment|Unit|Suite|Floor|Room|#) ?#?\w{1,5}"
_ENGLISH = [
    re.compile(
        rf"(?:\b{_UNIT}, )?(?<![\w.#/-])\d{{1,5}}[A-Za-z]?(?:-\d{{1,4}})? (?:[A-Z][A-Za-z'’-]+ ){{1,4}}{_STREET}\b\.?"
        rf"(?:,? {_UNIT})?{_END}"
    ),
    re.compile(rf"\bP\.?O\.? Box \d{{1,6}}{_END}"),
]
_HAN = r"[\u4e00-\u9fff]"
_PROVINCES = (
    "北京|天津|上海|重庆|河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南|四川|贵州|云南"
    "|陕西|甘肃|青海|台湾|内蒙古|广西|西藏|宁夏|新疆|香港|澳门"
)
_WHERE = (
    r"(?:(?:住在|位于|寄到|寄往|寄给|送到|送往|发到|派送到|搬到|搬至|家在|家里在|公司在|地址(?:是|为|改为|改成)?|住址(?:是|为)?"
    r"|[在到至往是为])[:： ]?)"
)
_AREA = rf"(?:{_HAN}{{2,7}}?(?:自治区|自治州|地区|省|市|盟|州|区|县|旗|镇|乡|街道|社区|开发区))"
_LINE = (
    rf"(?:{_HAN}{{1,9}}?(?:大道|大街|胡同|公路|中路|[路街巷弄道里村屯庄])"
    r"(?:[东西南北中](?:路|街|段)?|[一二三四五六七八九十]+段)?)"
)
_NUMBER = r"(?:甲|乙|丙)?(?:\d{1,5}(?:[-之]\d{1,4})?|[一二三四五六七八九十百]{1,5}) ?(?:号院?|弄|巷|组|栋|幢|座|号楼)"
_INSIDE = (
    rf"(?:[ ,]?{_HAN}{{0,8}}?(?:[A-Za-z]?\d{{1,5}}|[A-Za-z](?=[栋幢座区])|[一二三四五六七八九十]{{1,3}})"
    r"(?:-\d{1,4}){0,3} ?(?:号楼|单元|号|栋|幢|座|室|层|楼|户|组|房|弄))*(?:(?<=[楼元栋幢座层])\d{3,4}(?!\d))?"
)
_TAIL = (
    rf"(?:{_HAN}{{2,8}}(?:大厦|广场|小区|花园|公寓|大楼|中心|苑|园|城)"
    r"(?:[A-Za-z]?\d{1,5})?(?:[栋座幢室层号楼]|\d{1,4})*)?"
)
_CHINESE = re.compile(
    rf"(?:(?:{_PROVINCES})(?:省|市|自治区|壮族自治区|回族自治区|维吾尔自治区|特别行政区)?)?{_AREA}{{0,4}}{_LINE}{_LINE}?"
    rf"{_NUMBER}{_INSIDE}{_TAIL}{_INSIDE}"
)
_TO_CUT = re.compile(rf"^.*?{_WHERE}(?={_HAN}{{2}})")
_NOT_THERE = re.compile(r"^(?:请|把|将|我|他|她|您|你|的|寄|送|给|了|去|来|家里|家|客户|用户|快递|合同|换到)+")


def addresses(text: str) -> Iterator[Span]:
    """Yield addresses with a house number or a post-office box in a text in half width; never a town alone."""
    for pattern in _ENGLISH:
        for match in pattern.finditer(text):
            yield *match.span(), 0.86
    for match in _CHINESE.finditer(text):
        start = match.start()
        for cut in (_TO_CUT, _NOT_THERE):
            if lead := cut.match(text[start : match.end()]):
                start += lead.end()
        yield start, match.end(), 0.86
