"""What our e-mails say, in English and Chinese: plain text, written at the moment they are sent."""

from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from sqlmodel import Session

from kb import accounts, outbox
from kb.access import Principal
from kb.db import Database
from kb.models import Account, Letter, LetterKind, TokenPurpose, now
from kb.settings import Settings
from kb.smtp import sender

LETTERS: dict[str, dict[str, str]] = {
    "en": {
        "invitation_subject": "Your invitation to {site}",
        "invitation": "Hello,\n\nyou have been invited to {site}. Choose your password here:\n\n{link}\n\n"
        "The link opens once, within seven days.",
        "reset_subject": "A new password for {site}",
        "reset": "Hello,\n\nsomebody, probably you, has asked for a new password for this address. Choose it here:\n\n"
        "{link}\n\nThe link opens once, within an hour. If it was not you, do nothing: your password stays as it is.",
        "test_subject": "A test of {site}",
        "test": "Hello,\n\nthis e-mail shows that {site} can send e-mails.",
        "end": "{site}\n{address}",
    },
    "zh": {
        "invitation_subject": "邀请您使用{site}",
        "invitation": "您好：\n\n您已受邀使用{site}。请点击下面的链接设置密码：\n\n{link}\n\n"
        "链接在七天内有效，仅可使用一次。",
        "reset_subject": "重置您的{site}密码",
        "reset": "您好：\n\n有人（可能是您本人）申请为此邮箱设置新密码。请点击下面的链接设置：\n\n{link}\n\n"
        "链接在一小时内有效，仅可使用一次。如果不是您本人操作，请忽略此邮件，您的密码不会改变。",
        "test_subject": "{site}测试邮件",
        "test": "您好：\n\n收到此邮件说明{site}可以发送邮件。",
        "end": "{site}\n{address}",
    },
}

_LINKS = {LetterKind.INVITATION: TokenPurpose.INVITATION, LetterKind.RESET: TokenPurpose.RESET}


def post_link(session: Session, account: Account, kind: LetterKind, *, settings: Settings, actor: Principal) -> bool:
    """Have the link of an invitation or reset sent to its person, where a mail server is set; return whether it is."""
    if settings.smtp_url is None:
        return False
    lang = account.lang or settings.site_language
    data = {"asked_by": actor.subject}
    outbox.put(session, kind, account.email, lang=lang, lives=accounts.LIVES[_LINKS[kind]], data=data)
    return True


def written(settings: Settings, db: Database, letter: Letter) -> EmailMessage | None:
    """Return a letter as it is sent now; None where nobody needs it any more."""
    with db.write() as session:
        asked_by = letter.data.get("asked_by")
        secret = accounts.link_for_letter(session, letter.address, _LINKS[letter.kind], asked_by=asked_by)
    if secret is None:
        return None
    # One that is sent twice, as its process died after the first time, is the same e-mail.
    name = f"{letter.asked_at:%Y%m%d%H%M%S}.{letter.id}"
    link = f"{settings.public_url}/welcome/{secret}"
    return compose(settings, letter.kind.value, letter.address, letter.lang, name=name, link=link)


def compose(settings: Settings, what: str, address: str, lang: str, *, name: str, **values: str) -> EmailMessage:
    """Return an e-mail of ours. `name`: what makes it differ from all others, for its Message-ID."""
    words = LETTERS[lang if lang in LETTERS else "en"]
    values |= {"site": settings.site_name, "address": settings.public_url or ""}
    message = EmailMessage(policy=SMTP)  # refuses a line break in a header
    author = sender(settings.mail_from or "")
    message["From"] = author
    message["To"] = address
    message["Subject"] = " ".join(words[f"{what}_subject"].format(**values).split())
    message["Date"] = format_datetime(now())
    message["Message-ID"] = f"<{name}.letter@{author.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(words[what].format(**values) + "\n\n-- \n" + words["end"].format(**values) + "\n")
    return message
