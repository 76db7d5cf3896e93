"""What members write to a case that is there: in the portal, or by answering a mail. And mail that begins one."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import IO
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext

from members.queries import find_member
from surveys.enums_cases import CaseChannel, CaseKind, CaseSource, CaseState, MessageKind
from surveys.models import Case, CaseMessage
from surveys.queries_desk import standing_for
from surveys.services.cases.acting import _move, keep
from surveys.services.cases.files import Sent, keep_files
from surveys.services.cases.opening import MOST, TooMuchText, note_change, open_case, said, write

LINE = "##"  # what stands below this in a reply is the mail that was answered
_TOKEN = re.compile(r"\+([0-9a-f]{32})@")
# How mail programs begin the mail that was answered, in both languages.
_QUOTED = re.compile(
    r"^(On .{5,200} wrote:|在.{5,200}写道[:：]|-+ ?(Original Message|原始邮件) ?-+|发件人[:：].*)\s*$", re.MULTILINE
)


@transaction.atomic
def member_writes(
    *,
    case_id: int,
    text: str,
    channel: CaseChannel | str,
    at: datetime,
    key: str | None = None,
    picture: IO[bytes] | None = None,
) -> CaseMessage:
    """Puts what the member wrote to their case: it is somebody's turn again, and what was put right is opened again.
    The same `key` is said once. opening.TooMuchText; rewards.services.pictures.PictureRefused."""
    text = said(text)
    if key is not None and (known := CaseMessage.objects.filter(key=key).first()) is not None:
        return known
    found = standing_for(Case.objects.get(pk=case_id))
    case = Case.objects.select_for_update(of=("self",), no_key=True).get(pk=found.pk)
    message = write(case, kind=MessageKind.IN, channel=channel, text=text, at=at, key=key, picture=picture)
    note_change(case, "wrote", at=at, data={"message": message.pk})
    if case.state in (CaseState.WAITING, CaseState.RESOLVED, CaseState.CLOSED):
        _move(case, CaseState.OPEN, at=at, actor_id=None)
    case.themes = None  # to be read again
    keep(case, at=at)
    return message


def mail_arrives(
    *,
    recipients: list[str],
    sender: str,
    subject: str,
    text: str,
    message_id: str,
    at: datetime,
    files: Sequence[Sent] = (),
) -> CaseMessage | None:
    """A mail to the shop's mailbox for cases: the reply to one by the token in the address, else a new case of whoever
    wrote. The same mail twice is one message. Where there are no words, the subject stands for them, if there is one or
    files came. None where there is nothing."""
    key = f"mail:{message_id}"[:250] if message_id else None
    if key is not None and (known := CaseMessage.objects.filter(key=key).first()) is not None:
        return known
    words = without_quoted(text)[:MOST]
    tokens = [told.group(1) for address in recipients if (told := _TOKEN.search(address.lower()))]
    case = Case.objects.filter(uid__in=[UUID(token) for token in tokens]).first()
    if not words and (files or not case):
        words = subject.strip() or (gettext("(no words)") if files else "")
    try:
        said(words)
    except TooMuchText:
        return None
    if case is not None:
        message = member_writes(case_id=case.pk, text=words, channel=CaseChannel.EMAIL, at=at, key=key)
        keep_files(message, files)
        return message
    member = find_member(email=sender)
    case = open_case(
        kind=CaseKind.QUESTION,
        subject=subject,
        text=words,
        source=CaseSource.MAIL,
        channel=CaseChannel.EMAIL,
        member_id=member.pk if member else None,
        contact="" if member else sender[:254],
        message_key=key,
        at=at,
    )
    message = case.messages.get()
    keep_files(message, files)
    return message


def without_quoted(text: str) -> str:
    """What is new in a reply: nothing below our line or the mail that was answered, no lines that begin with “>”."""
    text = text.replace("\r\n", "\n").split(f"\n{LINE}")[0]
    cut = _QUOTED.search(text)
    kept = text[: cut.start()] if cut and cut.start() else text
    return "\n".join(line for line in kept.split("\n") if not line.startswith(">")).strip()
