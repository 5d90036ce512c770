"""Revisions of an item: listed, compared, brought back."""

WORDS = {
    "history": ("History", "历史版本"),
    "history_of": ("History of {number}", "{number}的历史版本"),
    "compare": ("Compare", "比较"),
    "compare_hint": (
        "Choose two revisions to compare: one in the left column, one in the right.",
        "选择两个版本进行比较：左列一个，右列一个。",
    ),
    "compare_old": ("Left: revision {n}", "左：第{n}版"),
    "compare_new": ("Right: revision {n}", "右：第{n}版"),
    "compared": ("From revision {old} to revision {new}", "从第{old}版到第{new}版"),
    "compared_same": ("Both say the same.", "两版内容相同。"),
    "readers_see_it": ("readers see it", "读者看到的版本"),
    "removed": ("removed:", "删除："),
    "added": ("added:", "新增："),
    "lines_alike": ("{count} lines as they were", "{count}行未变"),
    "restore": ("Restore as a new revision", "恢复为新版本"),
    "restore_of": ("Restore revision {n}", "恢复第{n}版"),
    "said_restored": (
        "Restored as a new revision; readers see it when it is published.",
        "已恢复为新版本，发布后读者可见。",
    ),
    "staged_is": ("Readers see revision {live}; this is revision {n}.", "读者看到的是第{live}版，这是第{n}版。"),
    "staged_diff": ("What differs", "有何不同"),
}
