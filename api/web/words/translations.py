"""Translations: how far they are behind, for readers and for those who write."""

WORDS = {
    "queue_translations": ("Translations out of date", "待更新的译文"),
    "behind_minor": ("only slips were mended since", "原文此后仅有小改"),
    "behind_medium": ("the source has changed since", "原文此后有修改"),
    "behind_major": ("the source says otherwise now", "原文含义已变"),
    "outdated_medium": (
        "This translation is a little behind: what it was translated from has changed since.",
        "本译文略有滞后：原文此后有修改。",
    ),
    "outdated_major": (
        "This translation is out of date: what it was translated from says otherwise now.",
        "本译文已过时：原文的含义已有变化。",
    ),
    "read_source": ("Read the source:", "查看原文："),
}
