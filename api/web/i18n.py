"""The words of the pages, in English and Chinese. A test holds the two to the same keys and placeholders."""

from collections.abc import Sequence
from datetime import datetime

LANGUAGES = ("en", "zh")
NAMES = {"en": "English", "zh": "中文"}

CATALOGUE: dict[str, dict[str, str]] = {
    "en": {
        "skip": "Skip to the content",
        "home": "Home",
        "search": "Search",
        "search_label": "What can we help you with?",
        "search_hint": "Describe it in your own words",
        "instant_count": "{count} suggestions; use the arrow keys",
        "instant_none": "No suggestions yet; press Enter to search",
        "language": "Language",
        "products": "Products",
        "topics": "Popular topics",
        "recent": "Recently updated",
        "items_one": "{count} article",
        "items_many": "{count} articles",
        "results_for": "Results for “{question}”",
        "results_none": "Nothing was found for “{question}”",
        "results_none_help": "Try fewer or other words, or take away a filter.",
        "answer": "Answer",
        "answer_sources": "Sources",
        "answer_fixed": "Written for this question and reviewed on {date}",
        "follow_up": "Ask a follow-up question",
        "follow_up_ask": "Ask",
        "turns": "This conversation",
        "understood_as": "Understood as: {question}",
        "as_typed": "Search “{question}” as typed",
        "generated": "Written by a language model from these sources; each sentence was checked against them.",
        "writing": "A fuller answer is being written…",
        "did_you_mean": "Did you mean",
        "no_answer": "No answer found",
        "no_answer_help": "We have nothing that answers this for sure. The closest there is:",
        "way_on": "Still stuck?",
        "ask_community": "Ask the community",
        "contact_support": "Contact support",
        "tab_all": "All",
        "tab_kb": "Knowledge base",
        "tab_community": "Community",
        "filters": "Filters",
        "filter_product": "Product",
        "filter_version": "Version",
        "filter_any": "Any",
        "filter_apply": "Apply",
        "kind_article": "Article",
        "kind_case": "Resolved case",
        "kind_lesson": "Lesson learned",
        "kind_answer": "Community answer",
        "kind_fixed": "Reviewed answer",
        "confidence_wip": "Being written",
        "confidence_not_validated": "Not validated yet",
        "confidence_validated": "Validated",
        "confidence_archived": "Archived",
        "exact_title": "Exact title",
        "in_language": "In {language}",
        "updated": "Updated {date}",
        "corrected": "Results for “{question}”.",
        "truncated": "Your text was long: its first part was searched.",
        "breadcrumb": "You are here",
        "applies_to": "Applies to",
        "versions": "Versions",
        "also_in": "Also in",
        "helpful": "Was this helpful?",
        "yes": "Yes",
        "no": "No",
        "why_not": "What was missing?",
        "reason_inaccurate": "It is inaccurate",
        "reason_confusing": "It is confusing",
        "reason_visuals": "Pictures are poor or missing",
        "reason_missing": "It did not have what I needed",
        "reason_other": "Something else",
        "comment": "Tell us more (optional)",
        "send": "Send",
        "thanks": "Thank you. Your answer helps to improve this page.",
        "image": "Image: {text}",
        "next": "Next",
        "previous": "Previous",
        "back_home": "Back to the start page",
        "sign_in": "Sign in",
        "sign_out": "Sign out",
        "sign_out_everywhere": "Sign out everywhere",
        "sign_in_wrong": "The e-mail address or the password is wrong, or the account is not open.",
        "sign_in_slow": "This failed too often. Try again in a quarter of an hour.",
        "email": "E-mail address",
        "password": "Password",
        "present_password": "Present password",
        "new_password": "New password",
        "password_again": "New password, again",
        "password_rule": "At least 12 characters; a few words are easy to remember.",
        "password_differs": "The two passwords are not the same.",
        "password_wrong": "The present password is wrong.",
        "password_unusable": "This password is too short, too long or easy to guess.",
        "email_unusable": "This e-mail address cannot be used.",
        "name_unusable": "This name cannot be used.",
        "change_password": "Change the password",
        "your_name": "Your name",
        "save": "Save",
        "welcome_invitation": "Welcome: choose your password",
        "welcome_reset": "Choose a new password",
        "welcome_setup": "Make the first account",
        "account": "Your account",
        "roles": "What you may do",
        "everywhere": "everywhere",
        "role_customer": "Customer",
        "role_agent": "Agent",
        "role_contributor": "Contributor",
        "role_publisher": "Publisher",
        "role_coach": "Coach",
        "role_editor": "Editor",
        "role_admin": "Administrator",
        "sessions": "Where you are signed in",
        "unknown_device": "Unknown browser",
        "last_used": "last used {date}",
        "this_browser": "this browser",
        "error_401": "This link opens nothing any more",
        "error_401_help": "It was used already, or it is too old. Ask whoever sent it for a new one, or search:",
        "error_403": "You may not do this",
        "error_403_help": "Sign in with an account that may, or ask an administrator.",
        "error_409": "This cannot be done now",
        "error_429": "Too many attempts",
        "error_404": "This page is not here",
        "error_404_help": "It may have been moved or taken back. Search for what you need:",
        "error_413": "That is too long",
        "error_422": "This could not be understood",
        "error_500": "Something went wrong here",
        "error_help": "Try again in a moment, or search:",
        "footer": "Answers come from {site}’s own articles, with their sources.",
        "list_separator": ", ",
    },
    "zh": {
        "skip": "跳到正文",
        "home": "首页",
        "search": "搜索",
        "search_label": "我们能帮您什么？",
        "search_hint": "用您自己的话描述问题",
        "instant_count": "{count} 条建议，可用方向键选择",
        "instant_none": "暂无建议，按回车键搜索",
        "language": "语言",
        "products": "产品",
        "topics": "热门主题",
        "recent": "最近更新",
        "items_one": "{count} 篇文章",
        "items_many": "{count} 篇文章",
        "results_for": "“{question}”的搜索结果",
        "results_none": "没有找到与“{question}”有关的内容",
        "results_none_help": "请减少或更换关键词，或去掉筛选条件。",
        "answer": "答案",
        "answer_sources": "来源",
        "answer_fixed": "专为这个问题编写，{date}审核",
        "follow_up": "接着问",
        "follow_up_ask": "提问",
        "turns": "本次对话",
        "understood_as": "理解为：{question}",
        "as_typed": "按原话搜索“{question}”",
        "generated": "由语言模型根据以上来源撰写，每句话都与来源核对过。",
        "writing": "正在撰写更完整的答案……",
        "did_you_mean": "您是不是想问",
        "no_answer": "没有找到答案",
        "no_answer_help": "我们没有能够确切回答这个问题的内容。最接近的有：",
        "way_on": "还没有解决？",
        "ask_community": "去社区提问",
        "contact_support": "联系客服",
        "tab_all": "全部",
        "tab_kb": "知识库",
        "tab_community": "社区",
        "filters": "筛选",
        "filter_product": "产品",
        "filter_version": "版本",
        "filter_any": "不限",
        "filter_apply": "应用",
        "kind_article": "文章",
        "kind_case": "已解决案例",
        "kind_lesson": "经验教训",
        "kind_answer": "社区回答",
        "kind_fixed": "审核过的回答",
        "confidence_wip": "编写中",
        "confidence_not_validated": "尚未验证",
        "confidence_validated": "已验证",
        "confidence_archived": "已归档",
        "exact_title": "标题完全一致",
        "in_language": "{language}内容",
        "updated": "更新于 {date}",
        "corrected": "已为您搜索“{question}”。",
        "truncated": "您输入的内容较长，仅搜索了前面的部分。",
        "breadcrumb": "当前位置",
        "applies_to": "适用于",
        "versions": "版本",
        "also_in": "其他语言",
        "helpful": "这篇内容有帮助吗？",
        "yes": "有帮助",
        "no": "没有帮助",
        "why_not": "哪里不够好？",
        "reason_inaccurate": "内容不准确",
        "reason_confusing": "不容易看懂",
        "reason_visuals": "缺少图片或图片不清楚",
        "reason_missing": "没有我需要的内容",
        "reason_other": "其他",
        "comment": "补充说明（可不填）",
        "send": "提交",
        "thanks": "谢谢！您的反馈会帮助我们改进。",
        "image": "图片：{text}",
        "next": "下一页",
        "previous": "上一页",
        "back_home": "返回首页",
        "sign_in": "登录",
        "sign_out": "退出登录",
        "sign_out_everywhere": "在所有设备上退出",
        "sign_in_wrong": "邮箱地址或密码不正确，或账号未开放。",
        "sign_in_slow": "失败次数过多，请在一刻钟后重试。",
        "email": "邮箱地址",
        "password": "密码",
        "present_password": "当前密码",
        "new_password": "新密码",
        "password_again": "再次输入新密码",
        "password_rule": "至少12个字符；几个词连在一起更容易记住。",
        "password_differs": "两次输入的密码不一致。",
        "password_wrong": "当前密码不正确。",
        "password_unusable": "密码过短、过长或容易被猜到。",
        "email_unusable": "这个邮箱地址无法使用。",
        "name_unusable": "这个姓名无法使用。",
        "change_password": "修改密码",
        "your_name": "您的姓名",
        "save": "保存",
        "welcome_invitation": "欢迎！请设置密码",
        "welcome_reset": "设置新密码",
        "welcome_setup": "创建第一个账号",
        "account": "我的账号",
        "roles": "我的权限",
        "everywhere": "所有空间",
        "role_customer": "客户",
        "role_agent": "客服",
        "role_contributor": "撰稿人",
        "role_publisher": "发布人",
        "role_coach": "教练",
        "role_editor": "编辑",
        "role_admin": "管理员",
        "sessions": "已登录的设备",
        "unknown_device": "未知浏览器",
        "last_used": "最近使用：{date}",
        "this_browser": "当前浏览器",
        "error_401": "这个链接已失效",
        "error_401_help": "它已被使用或已过期。请向发送者索取新链接，或者搜索：",
        "error_403": "您没有权限这样做",
        "error_403_help": "请用有权限的账号登录，或联系管理员。",
        "error_409": "现在无法这样做",
        "error_429": "尝试次数过多",
        "error_404": "找不到这个页面",
        "error_404_help": "它可能已被移动或撤回。请搜索您需要的内容：",
        "error_413": "内容过长",
        "error_422": "无法理解这个请求",
        "error_500": "这里出了点问题",
        "error_help": "请稍后再试，或者搜索：",
        "footer": "答案均来自{site}自己的文章，并注明来源。",
        "list_separator": "、",
    },
}

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Words:
    """The words of one language: `words("updated", date=...)`. Raises KeyError for an unknown key."""

    def __init__(self, lang: str) -> None:
        self.lang = lang
        self._entries = CATALOGUE[lang]

    def __call__(self, key: str, **values: object) -> str:
        return self._entries[key].format(**values)

    def items(self, count: int) -> str:
        return self("items_one" if count == 1 else "items_many", count=count)

    def date(self, moment: datetime | str) -> str:
        """Return the day of a moment (or of its ISO 8601 form) as people of this language write it."""
        day = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        if self.lang == "zh":
            return f"{day.year}年{day.month}月{day.day}日"
        return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"

    def language(self, code: str) -> str:
        """Return the name of a language, its code where we have no name."""
        own = {"en": {"en": "English", "zh": "Chinese"}, "zh": {"en": "英文", "zh": "中文"}}
        return own[self.lang].get(code, code)


def choose(*wishes: str | None, accept: str = "", default: str = "en") -> str:
    """Return the page's language: the first wish we have, else by the Accept-Language header, else the default."""
    for wish in wishes:
        if wish in LANGUAGES:
            return str(wish)
    return next((lang for lang in _accepted(accept) if lang in LANGUAGES), default)


def _accepted(header: str) -> Sequence[str]:
    """Return the primary languages of an Accept-Language header (RFC 9110), most wanted first."""
    found: list[tuple[float, int, str]] = []
    for place, part in enumerate(header[:500].split(",")):
        tag, _, rest = part.strip().partition(";")
        weight = rest.strip().removeprefix("q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            quality = 0.0
        if tag and quality > 0:
            found.append((-quality, place, tag.split("-")[0].lower()))
    return [lang for _, _, lang in sorted(found)]
