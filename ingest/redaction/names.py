"""Names of persons by rule: what stands after or before words that say that a name comes."""

import re
from collections.abc import Iterator

from ingest.redaction.numbers import Span
from retrieval import lexicon

SURNAMES = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆"
    "汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤温康施文牛樊葛邢安齐易乔伍庞"
    "颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍涂成苗谷盛曲翁冉骆蓝路游辛靳欧管柴蒙鲍华"
    "喻祁蒲房滕屈饶解牟艾尤时穆农司卓古吉缪简车项连芦麦褚娄窦戚岑景党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边卞姬师和仇"
    "栾隋商刁沙荣巫寇桑郎甄丛仲虞敖巩明佘池查麻苑迟邝 "
) - {" "}
COMPOUND = (
    "欧阳",
    "司徒",
    "司马",
    "上官",
    "诸葛",
    "夏侯",
    "东方",
    "皇甫",
    "尉迟",
    "公孙",
    "慕容",
    "令狐",
    "长孙",
    "宇文",
    "端木",
)
AMBIGUOUS = frozenset("于和应程包安时查解路全管项从司那真都温相平计")
"""Characters that are far more often (part of) another word: these begin a name only after a cue or a mark."""
_NO_NAMES = frozenset(
    """许多 任何 任务 任意 方法 方式 方便 高清 高级 高峰 时间 安全 安装 应用 程序 包含 包括 关于 关闭 管理 管道 查询
    查看 解决 路由 全部 项目 金额 单位 单元 温度 经理 经常 段落 钱包 黄金 白色 石油 常见 常用 明细 明天 成功 成员
    平台 计划 司机 章节 文件 文档 文本 易用 连接 连续 曾经 严重 左右 万一 陈述 顾客 党员 宁愿 水平 马上 马达 余额
    余下 周期 周末 于是 和密 和应 江苏 江西 蓝牙 蓝色 海尔 华为 夏季 冷却 沙箱 米家""".split()
)
_SURNAME = rf"(?:{'|'.join(COMPOUND)}|[{''.join(sorted(SURNAMES))}])"
_CHINESE_CUE = (
    r"(?:我叫|名叫|姓名|(?<![账用])户名|联系人|收件人|收货人|寄件人|经办人|负责人|对接人|报障人|报修人|投诉人|当事人|持卡人|申请人|开户人|法人"
    r"|代办人|责任人|报案人|委托人|被保人|受益人|担保人|机主|户主|房东|抬头)(?:姓名)?(?:是|为)?[:： ]{0,2}"
)
_AFTER_CUE = re.compile(rf"{_CHINESE_CUE}({_SURNAME}[\u4e00-\u9fff]{{1,2}})(?=[^\u4e00-\u9fff]|[的在要已于和]|$)")
_TITLED = re.compile(
    rf"(?<![\u4e00-\u9fff])(?:(?:请|找|给|和|与|跟|由|让|客户|用户|联系|房东|通知|转给|转|对接|咨询)*)"
    rf"({_SURNAME}(?:[\u4e00-\u9fff]{{1,2}}?)?)(?=先生|女士|小姐|太太|阿姨|大爷|老师|师傅|经理|主任|工程师|同学|医生|总(?![\u4e00-\u9fff]))"
)
_ANNOUNCED = re.compile(rf"(?:{_CHINESE_CUE}|客户|用户|联系|师傅|经理|工程师|请与?|找|给|由|是|叫|称)$")
_LABELLED = re.compile(rf"{_CHINESE_CUE}$")
_ASKED = re.compile(
    rf"(?:请|由|让|派|转|@)({_SURNAME}[\u4e00-\u9fff]{{1,2}}?)(?=尽快|尽早|马上|立即|处理|联系|核实|跟进|上门|回电|负责|确认|到场|协助)"
)
_WORD = r"(?:[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿğışçłńśźżřšč]+(?:[A-Z][a-z]+)?(?:[-'’][A-Z][a-z]+)?|O['’][A-Z][a-z]+)"
_INITIAL = r"(?: [A-Z]\.)?"
_NAME = rf"{_WORD}{_INITIAL}(?: (?:(?:van|von|de|der|den|la|le|da|dos|bin|al|el) ){{0,2}}{_WORD}){{0,3}}"
_FULL = rf"{_WORD}{_INITIAL}(?: (?:(?:van|von|de|der|den|la|le|da|dos|bin|al|el) ){{0,2}}{_WORD}){{1,3}}"
_ENGLISH = [
    (re.compile(rf"(?:[Mm]y name is|[Mm]y name's|[Nn]ame: ?|I am called|[Tt]his is) ({_FULL})"), 0.9),
    (re.compile(rf"(?:[Mm]y name is|[Mm]y name's) ({_NAME})"), 0.88),
    (re.compile(rf"\b(?:I'm|I am|I’m) ({_FULL})(?=[,.;]| from| at)"), 0.85),
    (re.compile(rf"\b(?:Mr|Mrs|Ms|Mx|Dr|Prof)\b\.? ({_NAME})"), 0.9),
    (re.compile(rf"(?:^|[.!?] |\n)(?:Dear|Hi|Hello|Hey) ({_NAME})(?=[,!:]|\n|$)", re.MULTILINE), 0.85),
    (
        re.compile(
            rf"(?:[Rr]egards|[Tt]hanks|Thank you|Cheers|Sincerely|Signed|[Bb]est|Yours)[,.!]*[ \n]+({_NAME})"
            r"(?=[,.]?\s*(?:\n|$))"
        ),
        0.87,
    ),
    (
        re.compile(
            r"(?:[Cc]ontact|[Cc]ustomer|[Cc]aller|[Cc]ardholder|[Aa]ccount holder|[Aa]ssigned to|[Ee]scalated to"
            r"|[Oo]pened by|[Ss]poke (?:with|to)|[Rr]eported by|[Ff]orwarded from|[Ee]ngineer|[Tt]echnician"
            rf"|[Cc]olleague|[Uu]sers?,?|under|account of|[Cc]all|[Aa]ttn|[Rr]eporter|[Aa]pplicant"
            rf"|[Ss]ubscriber|[Hh]older|[Ee]mployee|[Hh]usband|[Ww]ife)[:,]? ({_FULL})"
        ),
        0.82,
    ),
    (re.compile(rf"(?:{_CHINESE_CUE}|我叫|客户|用户)({_FULL})"), 0.85),
    (re.compile(rf"(?:^|[.!?] |\n)({_FULL})(?= here[.,:!])", re.MULTILINE), 0.85),
    (
        re.compile(
            rf"(?:^|[.!?] |\n)({_NAME})(?= from [a-z]+ (?:says?|said|wrote|called|reports?|asks?)\b)", re.MULTILINE
        ),
        0.8,
    ),
    (re.compile(rf"({_FULL})(?= ?<[^<>\s]+@| ?\([^()\s]+@)"), 0.85),
]
PRODUCT_WORDS = frozenset(
    """account accounts adafruit adapter add-on add-ons address admin administrator advance advanced all almost amazon
    android anyone apache api app apple appreciated april arch arduino assembly atlas august avast aws azure bank
    best beta bing bitwarden blue bluetooth board boards book bookmarks bootloader box brave browser browsers button
    cable card carrier case center chat chinese choose chrome chromebook chromium clear click cloud cloudflare
    cluster code command community consequence container controls cookies copilot customer data dear debian december
    defender desktop dev developer developers device diner disk docker download downloads drive driver duckduckgo
    edge email engine english error esp esr everyone excel exchange explorer extension extensions facebook failure
    february fedora fiber fibre fibrebox figure file fire firefox firmware flight folks french friday friend friends
    full galaxy gate gemini german github gmail go goddard google ground hardware hazard hazards hello help hi home
    how html http hubble icloud incorrect index installer intel internet ipad iphone january java javascript johnson
    july june kaspersky kennedy key kit kits knob kubernetes laptop lastpass latest launcher learned lesson lessons
    license linkedin linux live login mac macbook macos madam mail make malwarebytes manager march mars material
    matrix may mcafee mega menu messenger meta microsoft mint mission mode monday monitor mozilla my mysql name nano
    nas nasa netflix network new nightly node normal norton note november number nvidia observatory october office
    old online open opera oracle orbiter os outlook page pages panel password path paypal pc phone pi pixel play
    please plus pocket policy postgres postgresql power privacy pro profile program project prompt proton python
    query reason redis refresh regards reset restart result route router safari safe samsung saturday search section
    security select sense sensor september serial server service settings setup shield shuttle sir skype slack
    software sonoma sony space spotify starter station status stick store structure studio sunday support surface
    sync system tab table tabs team teams technology teensy thank thanks that the theme there this thunderbird
    thursday tool toolbar tools tracking training traversal troubleshoot tuesday type ubuntu uno update usb user
    value version video view vista vpn wallet warning web website wednesday what whatsapp when why wi-fi wifi window
    windows wordpress xbox yahoo yandex your youtube zoom""".split()
)


_LEADS = re.compile(
    r"(?:(?:mr|mrs|ms|miss|mx|dr|prof|dear|hi|hello|hey|thanks|regards|customer|caller|cardholder|contact|engineer"
    r"|technician|colleague|user|name)\b[.,:]? ?)+",
    re.IGNORECASE,
)
_FULL_NAME = re.compile(r"[^\W\d_][^\W\d_.'’-]*(?:[.'’-][^\W\d_]+)*\.?(?: [^\W\d_]+(?:[.'’-][^\W\d_]+)*\.?){1,3}")
_PARTICLES = frozenset("van von de der den la le da dos du di bin al el".split())


def names(text: str) -> Iterator[Span]:
    """Yield names that words around them announce, in a text in half width: 我叫…, …先生, Dear …, Regards, …."""
    for pattern in (_AFTER_CUE, _TITLED, _ASKED):
        for match in pattern.finditer(text):
            yield *match.span(1), 0.88
    for rule, score in _ENGLISH:
        for match in rule.finditer(text):
            start, end = match.span(1)
            start = begin(text, start, end)
            if start < end and plausible(text[start:end]):
                yield start, end, score


def plausible(name: str) -> bool:
    """Say whether none of the words of a name in Latin letters is one of products, menus, days or openings."""
    return not any(word.strip(".,'’").lower() in PRODUCT_WORDS for word in name.split())


def doubtful(text: str, start: int, end: int) -> bool:
    """Say whether a Chinese name that a model sees here may be (the end of) a word: 线程池 has no Mr 程."""
    before = text[max(0, start - 8) : start]
    within = text[start] in AMBIGUOUS and "\u4e00" <= before[-1:] <= "\u9fff"
    counted = text[start] == "张" and before[-1:] in "一二三四五六七八九十百两几某这那每多整" and before != ""
    word = counted or text[start : start + 2] in _NO_NAMES or text[start:end] in lexicon.chinese()
    return (within or word) and _ANNOUNCED.search(before) is None


def labelled(text: str, start: int) -> bool:
    """Say whether a label such as 报案人： stands before: there any name is believed, without a known surname too."""
    return _LABELLED.search(text, max(0, start - 8), start) is not None


def begin(text: str, start: int, end: int) -> int:
    """Return where a name begins after titles and words such as `Customer`."""
    lead = _LEADS.match(text, start, end)
    return lead.end() if lead else start


def full(name: str) -> bool:
    """Say whether it is written like a name of two to four words, none of them a product's."""
    words = name.split()
    return (
        _FULL_NAME.fullmatch(name) is not None
        and words[0][0].isupper()
        and words[-1][0].isupper()
        and all(word[0].isupper() or word in _PARTICLES for word in words)
        and not any(word.isupper() and len(word) > 2 for word in words)
        and plausible(name)
    )
