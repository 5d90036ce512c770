"""Pictures and files beside the text."""

WORDS = {
    "attach": ("Pictures and files", "图片和文件"),
    "attach_file": ("File to add", "要添加的文件"),
    "attach_add": ("Add it", "添加"),
    "attach_hint": (
        "Or drop it on a text, or paste it there. Say in the brackets what a picture shows.",
        "也可以把文件拖到正文里，或直接粘贴。请在方括号中说明图片的内容。",
    ),
    "attach_sending": ("Sending", "正在发送"),
    "attach_sent": ("Added:", "已添加："),
    "attached": ("The file is here", "文件已添加"),
    "attached_paste": (
        "Copy this, go back to the text and paste it where the file belongs.",
        "复制下面的内容，回到正文，粘贴到需要的位置。",
    ),
}
