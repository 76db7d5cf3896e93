"""A case is opened, once for whatever made it."""

import io
from collections.abc import Mapping
from datetime import datetime
from typing import IO, Any
from uuid import uuid4

from django.core.files.base import ContentFile
from django.db import transaction

from members.events import record
from members.models import PRESENT, Member, Purchase
from members.services.purchases import KeyReused
from rewards.services.pictures import LARGE, encode_for_mail
from surveys import clock
from surveys.enums_cases import CaseChannel, CaseKind, CaseSource, CaseState, MessageKind, Severity
from surveys.events import CASE_OPENED
from surveys.models import Case, CaseChange, CaseMessage
from surveys.queries_desk import care_settings, desk_hours, owner_for, target

MOST = 10_000  # characters of one message


class NobodyThere(Exception):
    """The member is merged or erased, or there is none."""


class TooMuchText(Exception):
    """More than MOST characters, or nothing at all."""


class NotTheirs(Exception):
    """The purchase is another member's."""


def said(text: str) -> str:
    """What was written, as it is kept. TooMuchText."""
    text = text.replace("\x00", "").replace("\r\n", "\n").strip()
    if not text or len(text) > MOST:
        raise TooMuchText
    return text


def subject_of(text: str) -> str:
    """A subject out of what was written: its first line, cut at 80 characters."""
    first = " ".join(text.strip().split("\n")[0].split())
    return first if len(first) <= 80 else f"{first[:79].rstrip()}…"


@transaction.atomic
def open_case(
    *,
    kind: CaseKind | str,
    text: str,
    source: CaseSource | str,
    at: datetime,
    member_id: int | None = None,
    contact: str = "",
    subject: str = "",
    severity: Severity | str = Severity.NORMAL,
    category_id: int | None = None,
    owner_id: int | None = None,
    purchase_id: int | None = None,
    response_id: int | None = None,
    score: int | None = None,
    question: str = "",
    score_kind: str = "",
    store: str = "",
    key: str | None = None,
    actor_id: int | None = None,
    channel: CaseChannel | str = CaseChannel.PORTAL,
    message_key: str | None = None,
    picture: IO[bytes] | None = None,
) -> Case:
    """Opens a case with what the member said, on somebody's desk (queries_desk.owner_for where `owner_id` does not say
    whose), who is told unless they opened it themselves. The same `key` with the same words gives the same case, with
    others KeyReused. NobodyThere; TooMuchText; NotTheirs; rewards.services.pictures.PictureRefused."""
    text = said(text)
    if key is not None and (known := Case.objects.filter(key=key).first()) is not None:
        first = known.messages.order_by("pk").first()
        if known.member_id != member_id or known.kind != kind or (first is not None and first.text != text):
            raise KeyReused(key)
        return known
    if member_id is not None and not Member.objects.filter(PRESENT, pk=member_id).exists():
        raise NobodyThere
    purchase = Purchase.objects.filter(pk=purchase_id).first() if purchase_id else None
    if purchase is not None and purchase.member_id != member_id:
        raise NotTheirs
    answer, resolve = target(severity)
    hours = desk_hours()
    owner_id = owner_id or owner_for(category_id)
    case = Case.objects.create(
        key=key,
        kind=kind,
        subject=" ".join(subject.split())[:200] or subject_of(text),
        severity=severity,
        source=source,
        member_id=member_id,
        contact=contact,
        category_id=category_id,
        owner_id=owner_id,
        owner_untold=owner_id is not None and owner_id != actor_id,
        purchase=purchase,
        response_id=response_id,
        score=score,
        question=question,
        score_kind=score_kind,
        store=store or (purchase.store if purchase else ""),
        opened_at=at,
        answer_due_at=clock.due(at, answer, hours),
        resolve_due_at=clock.due(at, resolve, hours),
        changed_at=at,
    )
    wind(case, at=at)
    case.save(update_fields=["remind_at"])
    write(case, kind=MessageKind.IN, channel=channel, text=text, at=at, key=message_key, picture=picture)
    note_change(case, "opened", at=at, actor_id=actor_id, data={"source": str(source)})
    tell(case, CASE_OPENED, at=at, actor_id=actor_id)
    return case


def wind(case: Case, *, at: datetime) -> None:
    """Sets when somebody has to be reminded of a case; not for one on which nobody has to act."""
    due = case.next_due
    if due is None or due <= at:
        case.remind_at = due
        return
    hours = desk_hours()
    before = clock.passed(at, due, hours) - care_settings().remind_minutes
    case.remind_at = clock.due(at, before, hours) if before > 0 else due


def write(
    case: Case,
    *,
    kind: MessageKind | str,
    channel: CaseChannel | str,
    text: str,
    at: datetime,
    author_id: int | None = None,
    key: str | None = None,
    send: bool = False,
    picture: IO[bytes] | None = None,
) -> CaseMessage:
    message = CaseMessage(
        case=case, kind=kind, channel=channel, text=text, at=at, author_id=author_id, key=key,
        send_at=at if send else None,
    )  # fmt: skip
    if picture is not None:
        data, extension, (message.width, message.height) = encode_for_mail(io.BytesIO(picture.read()), LARGE)
        message.picture.save(f"{uuid4().hex}.{extension}", ContentFile(data), save=False)
    message.save()
    return message


def note_change(
    case: Case, what: str, *, at: datetime, actor_id: int | None = None, data: Mapping[str, Any] | None = None
) -> None:
    """One line of the history of a case."""
    CaseChange.objects.create(case=case, what=what, data=dict(data or {}), at=at, actor_id=actor_id)


def tell(case: Case, kind: str, *, at: datetime, actor_id: int | None = None) -> None:
    """Writes to the member's timeline what became of their case."""
    if case.member_id is not None:
        data = {"case": case.pk, "kind": case.kind, "severity": case.severity}
        record(member_id=case.member_id, kind=kind, at=at, data=data, actor_id=actor_id)


def is_done(case: Case) -> bool:
    return case.state in (CaseState.RESOLVED, CaseState.CLOSED)
