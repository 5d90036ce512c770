"""What an editor sees before publishing: duplicates and replay."""

WORDS = {
    "near": ("Says it already", "已有的相同内容"),
    "near_look": ("Look for near duplicates", "查找重复内容"),
    "near_none": ("Nothing published says the same.", "没有已发布的内容与之相同。"),
    "same_by": ("{share} % likely the same", "相同的可能性为{share}%"),
    "contradicts": ("It says otherwise:", "说法不一致："),
    "before_publishing": ("What publishing would change", "发布后会有什么变化"),
    "replay_look": ("Ask the questions of the last days", "用近期的提问试一试"),
    "replay_hint": ("Of the revision that is saved; nothing is published by it.", "以已保存的版本为准，不会因此发布。"),
    "replay_of": (
        "{questions} questions of {days} days and judged ones, with revision {n} in the index",
        "{days}天内的提问和评测题共{questions}个，索引中加入第{n}版",
    ),
    "replay_refused": ("This cannot be replayed:", "无法重放："),
    "replay_nothing": ("No question would be answered otherwise.", "没有问题的回答会改变。"),
    "replay_from": ("from {title}", "原为{title}"),
    "outcome_broken": ("Would break", "将失去正确回答"),
    "outcome_lost": ("Would lose", "将不再由本文回答"),
    "outcome_newly_answered": ("Would newly answer", "将新增回答"),
    "outcome_taken": ("Would take from another", "将取代其他文章"),
    "outcome_other": ("Otherwise changed", "其他变化"),
    "and_more": ("and {count} more", "还有{count}个"),
    "nothing": ("nothing", "无"),
}
