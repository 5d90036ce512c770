"""Whether a Chinese question leans on the turns before. There are no words to look up: what is empty is taken out."""

import re

from retrieval.leaning import How, Leaning
from retrieval.leaning.slots import slots_of

_OPENER = re.compile(
    r"^\s*(?:(?:好的?|谢谢您?|明白了?|嗯+|哦+|对了|请问|再问一个|另外)[\s，,。！!：:]*)*"
    r"(?P<joins>(?:那么?(?![个种些样时边里])|然后|还有|但是?|可是|不过|而且|所以|如果是?|要是|换成)[\s，,]*)*"
)
_NE = re.compile(r"呢\s*[？?。!！]*$")
_POINTS = re.compile(r"它们?|[这那](?:[个种些样](?![月周年星礼])|(?![个种些样时边里么月周年天次]))|他们|该(?=[怎如])")
_EMPTY = re.compile(
    "|".join(
        sorted(
            """
            怎么办 怎么样 怎么算 怎样 怎么 如何 为什么 为何 什么时候 什么 多久 多少钱 多少 多长时间 多长 几天
            几个 几张 几秒 几分钟
            几 哪里 哪儿 哪个 哪些 哪 在哪 谁 是不是 能不能 可不可以 行不行 要不要 会不会 有没有 好不好 何时
            它们 它 他们 这个 那个 这种 那种 这样 那样 这些 那些 那时候 这 那 其
            你们 您 你 我们 我 他 她 自己 别人 人 是 有 在 要 能 可以 可 会 该 应该 行 需要 必须 想 请 帮 让 把
            被 给 从 到 去 来
            也 都 还 就 又 再 才 只 已经 一样 一 不 没有 没 和 与 或 后 以后 之后 前 以前 提前 时 时候 里 里面
            上 下 中 最 最多 最早
            最少 最晚 个 次 张 天 半 小时 分钟 秒 月 每个月 下个月 年 钱 块 元 克朗 先 反过来 别的 其他 其它
            另一 另 还是 现在 今天 晚上
            凌晨 也是 呢 吗 吧 啊 呀 嘛 么 了 的 地 得 着 过 再 比 跟 按 对 以 及 则 并
            取消 关闭 关掉 关 打开 开通 开 设置 设 弄 办理 办 申请 更改 改 更换 换 查看 查 看 找 用 使用 买
            购买 退出 退 付 交 收费
            收钱 收 付费 算 调高 调低 调 提高 修好 修 更新 重启 重试 试 按住 等 说 做 处理 选 添加 加 删除 恢复
            保留 包含 包括 带 派
            罚款 测 准 丢 有效 过期 拿 得到 完成 到期 生效 报 错 听 补 停 要求 告诉 知道 用不了 不行 没用
            没反应 反应 成功 失败
            费用 价格 时间 期限 材料 条件 步骤 原因 方法 办法 意思 代表 区别 地方 限制 问题 情况 结果 流程
            营业厅 App app
            """.split(),
            key=len,
            reverse=True,
        )
    )
)
_KEPT = re.compile(r"[\u3400-\u9fff]|[A-Za-z0-9][\w.-]*")
_SHORT = 8
"""Most characters of a fragment."""


def lean(question: str) -> Leaning:
    opener = _OPENER.match(question)
    joined = opener is not None and bool(opener["joins"])
    bare = question[opener.end() :].strip() if opener is not None else question.strip()
    width = len(_KEPT.findall(bare))
    if width < 2 and joined:
        return Leaning(How.LEANS, question)
    if not width:
        return Leaning(How.ALONE, question)
    if _NE.search(bare) and width <= _SHORT:
        rest = _NE.sub("", bare)
        return Leaning(How.FRAGMENT if _named(rest) or slots_of(rest) else How.LEANS, rest)
    named = _named(bare)
    if not named:
        return Leaning(How.LEANS, bare)
    if joined and len(named) <= 1:
        return Leaning(How.LEANS, bare)
    points = _POINTS.search(bare)
    if points and len(named) <= 4 and not _named(bare[: points.start()]):
        return Leaning(How.LEANS, bare)
    return Leaning(How.ALONE, question)


def _named(text: str) -> list[str]:
    """Return the characters and words of a text that name what it is about: neither empty nor a slot."""
    for slot in reversed(slots_of(text)):
        if not slot.names:
            text = f"{text[: slot.start]} {text[slot.end :]}"
    return _KEPT.findall(_EMPTY.sub(" ", text))
