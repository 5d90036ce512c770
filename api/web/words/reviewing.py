"""Review of an item: asked for, decided, told."""

WORDS = {
    "submit_review": ("Submit for review", "提交审核"),
    "said_submitted": ("Saved and submitted for review.", "已保存并提交审核。"),
    "said_deferred": ("Given back to its author, with your message.", "已附上您的意见退回作者。"),
    "said_withdrawn": ("The review is withdrawn.", "已撤回审核。"),
    "review": ("Review", "审核"),
    "review_asked": ("Revision {n}, submitted by {who}", "第{n}版，由{who}提交审核"),
    "review_since": ("In review since {date}, submitted by {who}", "{who}于{date}提交审核"),
    "review_ends": (
        "Saving another text, or other readers, ends this review.",
        "保存其他内容或更改受众会结束本次审核。",
    ),
    "review_message": ("Message to the author", "给作者的意见"),
    "review_own": (
        "You wrote or submitted this yourself: your approval is recorded as such.",
        "这是您自己编写或提交的：批准时会如实记录。",
    ),
    "approve": ("Approve and publish revision {n}", "批准并发布第{n}版"),
    "approve_own": ("Approve my own revision {n}", "批准自己的第{n}版"),
    "defer": ("Give back", "退回"),
    "withdraw": ("Withdraw the review", "撤回审核"),
    "review_given_back": ("{who} gave revision {n} back", "{who}退回了第{n}版"),
    "review_history": ("Reviews until now", "以往的审核"),
    "review_of": ("Revision {n}: submitted by {who}", "第{n}版：{who}提交"),
    "review_approved": ("approved by {who}", "{who}批准"),
    "review_approved_own": ("approved by {who}, who wrote or submitted it", "{who}批准（本人编写或提交）"),
    "review_deferred": ("given back by {who}", "{who}退回"),
    "review_withdrawn": ("withdrawn by {who}", "{who}撤回"),
    "review_overtaken": ("ended by a change of {who}", "因{who}的修改而结束"),
}
