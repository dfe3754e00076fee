"""Notices as others want them: JSON for programs, Slack's and Teams' messages, e-mail.

What comes from the project is plain text in all of them: nothing in it is taken for markup, a mention or a header.
Knows no network.
"""

import hashlib
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

import msgspec

from headway.core.notice import Notice
from headway.core.notifier import Form

LONGEST_TITLE = 150
"""Signs of a header in Slack; more is refused there."""


def body(notice: Notice, form: Form, *, project: str, links: str = "") -> bytes:
    """What is sent to a web hook; `links` is where the page of `headway up` is found, empty: nowhere.

    >>> told = Notice(key="run/1#9", topic="run", about="run 1", title="t", text="w", command="headway logs 1")
    >>> msgspec.json.decode(body(told, "json", project="churn"))["command"]
    'headway logs 1'
    """
    link = linked(notice, links)
    made = {"json": _plain, "slack": _slack, "teams": _teams}[form](notice, project, link)
    return msgspec.json.encode(made)


def linked(notice: Notice, links: str) -> str:
    """The whole address of a notice's page; empty where there is none.

    >>> linked(Notice(key="k", topic="run", about="a", title="", text="", command="", link="/runs/1"), "https://h/")
    'https://h/runs/1'
    """
    return links.rstrip("/") + notice.link if links and notice.link else ""


def mail(notice: Notice, *, project: str, links: str = "", sender: str, receivers: tuple[str, ...]) -> EmailMessage:
    """The notice as a mail in plain text. The same notice has the same Message-ID, so that a mailbox shows it once."""
    from datetime import UTC, datetime

    message = EmailMessage()
    message["Subject"] = f"[{line(project)}] {line(notice.title)}"
    message["From"] = sender
    message["To"] = ", ".join(receivers)
    message["Date"] = format_datetime(datetime.fromtimestamp(notice.at, UTC))
    name = hashlib.sha256(f"{project}\n{notice.key}".encode()).hexdigest()[:32]
    message["Message-ID"] = f"<{name}@headway.invalid>"
    # A machine's mail is not answered by a machine.
    message["Auto-Submitted"] = "auto-generated"
    link = linked(notice, links)
    told = [notice.text, "", f"next: {notice.command}", *([link] if link else []), ""]
    message.set_content("\n".join([notice.title, "", *told]))
    return message


def line(words: str) -> str:
    r"""Words on one line, without what a header or a terminal would take for its own.

    >>> line("a\r\nBcc: b@c")
    'a Bcc: b@c'
    """
    return " ".join("".join(sign if sign.isprintable() else " " for sign in words).split())


# Any (here and below): JSON as a chat wants it.
def _plain(notice: Notice, project: str, link: str) -> dict[str, Any]:
    named = ("key", "topic", "about", "title", "text", "command", "at", "is_good")
    return {"project": project, **{name: getattr(notice, name) for name in named}, "link": link}


def _slack(notice: Notice, project: str, link: str) -> dict[str, Any]:
    title = line(f"{_sign(notice)} {notice.title}")[:LONGEST_TITLE]
    about: list[dict[str, Any]] = [{"type": "plain_text", "text": f"{project} · {notice.about}", "emoji": False}]
    if link:
        # Nothing in an address may end it.
        address = link.replace("|", "%7C").replace(">", "%3E").replace("<", "%3C")
        about.append({"type": "mrkdwn", "text": f"<{address}|open>"})
    command = _escaped(notice.command.replace("`", "'"))
    return {
        # What a telephone shows, and those who are read to.
        "text": _escaped(f"{project}: {notice.title}"),
        "mrkdwn": False,
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}},
            {"type": "section", "text": {"type": "plain_text", "text": notice.text or "-", "emoji": False}},
            {"type": "section", "text": {"type": "mrkdwn", "text": f"`{command}`"}},
            {"type": "context", "elements": about},
        ],
    }


def _escaped(words: str) -> str:
    """Words in which Slack finds no mention and no link."""
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _teams(notice: Notice, project: str, link: str) -> dict[str, Any]:
    # Runs of text: what stands in a `TextBlock` is read as Markdown.
    parts = [
        _run(line(f"{_sign(notice)} {notice.title}"), size="Large", weight="Bolder"),
        *[_run(one) for one in notice.text.split("\n") if one],
        _run(notice.command, fontType="Monospace"),
        _run(f"{project} · {notice.about}", isSubtle=True, size="Small"),
    ]
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": f"{project}: {notice.title}",
        "body": parts,
    }
    if link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open", "url": link}]
    attached = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attached]}


def _run(words: str, **shown: str | bool) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": words, **shown}]}


def _sign(notice: Notice) -> str:
    return "✓" if notice.is_good else "!"
