"""Flags: what readers report of an article, and what became of it."""

WORDS = {
    "flag_report": ("Report a problem with this article", "报告这篇文章的问题"),
    "flag_what": ("What is wrong?", "有什么问题？"),
    "flag_inaccurate": ("It is inaccurate", "内容不准确"),
    "flag_outdated": ("It is out of date", "内容已过时"),
    "flag_confusing": ("It is confusing", "内容难以理解"),
    "flag_duplicate": ("Another article says the same", "与其他文章重复"),
    "flag_other": ("Something else (say what)", "其他（请说明）"),
    "flag_comment": ("Details, for those who write the article", "给文章作者的说明"),
    "flag_send": ("Send report", "提交报告"),
    "flag_thanks": (
        "Thank you: those who write this article see your report.",
        "谢谢！这篇文章的作者会看到您的报告。",
    ),
    "queue_flagged": ("Problems reported", "读者报告的问题"),
    "flags": ("Problems reported", "读者报告的问题"),
    "flag_of": ("{reason}: revision {n}, says {who}", "{reason}：第{n}版，由{who}报告"),
    "flag_answer": ("What was done, or why nothing is", "处理结果或不处理的原因"),
    "flag_fix": ("Fixed", "已修正"),
    "flag_dismiss": ("Dismiss", "不予处理"),
    "flag_stays": (
        "Publishing settles none of these by itself. Dismissing takes a reason.",
        "发布新版本不会自动了结这些报告。不予处理时须说明原因。",
    ),
    "flags_settled": ("Settled", "已处理"),
    "flag_was_fixed": ("Fixed, says {who}", "{who}：已修正"),
    "flag_was_dismissed": ("Dismissed by {who}", "{who}：不予处理"),
    "said_flag_settled": ("The report is settled.", "报告已处理。"),
}
