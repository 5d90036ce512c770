"""What others saved while one was writing, and how both are put together."""

WORDS = {
    "edit_conflict": (
        "Others saved while you were writing. Nothing of yours is lost, and nothing is saved yet: the form holds both, "
        "and your own words where you both changed the same place. Look at those, then save.",
        "在您编辑期间，有人保存了修改。您的内容没有丢失，也尚未保存：表单中已合并双方的修改；双方改了同一处时，"
        "保留的是您的文字。请检查后再保存。",
    ),
    "meanwhile": ("What came meanwhile", "期间的修改"),
    "meanwhile_all": ("All that differs, in a new tab", "全部差异（在新标签页中打开）"),
    "to_decide": ("yours to decide", "由您决定"),
    "put_together": ("put together with yours", "已与您的内容合并"),
    "side_base": ("Before", "原文"),
    "side_theirs": ("Theirs", "对方的修改"),
    "side_mine": ("Yours (in the form)", "您的修改（表单中的内容）"),
    "side_nothing": ("nothing", "无"),
}
