"""What one typed and did not save: kept, offered, gone on with."""

WORDS = {
    "draft": ("Draft", "草稿"),
    "draft_own": ("You have text here that you did not save", "您有尚未保存的内容"),
    "draft_resumed": ("This is the text that you did not save", "以下是您尚未保存的内容"),
    "draft_from": ("begun from revision {n}", "基于第{n}版"),
    "draft_go_on": ("Go on with it", "继续编辑"),
    "draft_discard": ("Discard it", "放弃"),
    "draft_kept": ("Kept at {time}", "已于{time}暂存"),
    "draft_waits": (
        "What you type is not kept: first go on with your earlier text, or discard it.",
        "输入的内容未暂存：请先继续编辑或放弃之前的内容。",
    ),
    "draft_elsewhere": (
        "What you type is not kept: you are writing on it in another window, too.",
        "输入的内容未暂存：您也在另一个窗口中编辑。",
    ),
    "draft_failed": ("What you type could not be kept.", "输入的内容无法暂存。"),
    "draft_too": ("Writing on it too: {who}", "也在编辑：{who}"),
    "said_discarded": ("Discarded.", "已放弃。"),
}
