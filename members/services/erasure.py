"""Forgetting members: all that says who they are goes, in every table, file and session; what was bought and the
ledger stay, as nobody's. docs/privacy.md lists what becomes of each table."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pgtrigger
import structlog
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, override

from common.sql import execute, fetch_all
from members import events
from members.enums import AccessAction
from members.models import (
    AccessLog,
    CardClaim,
    ChangedMember,
    Consent,
    CustomEvent,
    DataExport,
    Duplicate,
    ErasureRequest,
    Guardian,
    Household,
    Identity,
    ImportedMember,
    Member,
    MemberListEntry,
    MemberMerge,
    MemberPin,
    MemberTag,
    Note,
    PendingReaction,
    Purchase,
    Refund,
    SegmentChange,
    SegmentPick,
    Task,
    TillCode,
    User,
)
from members.models.member import NextCardNumber
from members.privacy import erasers
from members.queries import accounts_of, get_programme
from members.services.access import log_access
from members.services.segments.membership import take_out
from members.services.traces import clear_admin_log, end_sessions, names_of, remove_files

log = structlog.get_logger(__name__)
WAIT = timedelta(days=14)  # from a member's own wish to its coming true
SWEEP = timedelta(days=2)
SWEPT_AT_ONCE = 500


class AlreadyErased(Exception):
    """There is nobody left to erase."""


@dataclass(frozen=True, slots=True)
class Erased:
    """Who was erased, the members merged into them among it, and how many files went."""

    member_ids: list[int]
    files: int


_FAMILY = """
WITH RECURSIVE up AS (
    SELECT id, merged_into_id FROM members_member WHERE id = ANY(%(ids)s)
    UNION SELECT above.id, above.merged_into_id FROM members_member AS above JOIN up ON up.merged_into_id = above.id
),
family AS (
    SELECT id FROM up
    UNION SELECT below.id FROM members_member AS below JOIN family ON below.merged_into_id = family.id
)
SELECT id FROM family ORDER BY id
"""


def everyone_merged(member_ids: Sequence[int]) -> list[int]:
    """These members and all who are one with them by merging, in either direction."""
    return [row[0] for row in fetch_all(_FAMILY, {"ids": list(member_ids)})]


@transaction.atomic
def erase_members(*, member_ids: Sequence[int], at: datetime, actor_id: int | None = None, why: str) -> Erased:
    """Erases members and all who were merged into them. Repeating it only takes away what came in since.

    `why` is "request", "staff" or "retention". FileInUse where a file that names them is just being read.
    """
    ids = everyone_merged(member_ids)
    # NO KEY: a purchase that is being posted goes on; what it writes is taken away by sweep_again.
    list(Member.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk").values_list("pk"))
    fresh = list(Member.objects.filter(pk__in=ids, erased_at=None))
    new = [member.pk for member in fresh if member.merged_into_id is None]
    users = list(accounts_of(ids).values_list("pk", flat=True))
    names = names_of(ids)
    for erase in erasers():
        erase(ids, at)
    _clear_imports(names)
    clear_admin_log(ids, users)
    _clear_tables(ids, at)
    _clear_members(ids, at)
    _clear_users(users)
    end_sessions(users, names)
    # A refresh that read before this was committed may put them back into a segment: it is looked at once more.
    ChangedMember.objects.bulk_create([ChangedMember(member=member) for member in fresh])
    for member_id in new:
        events.record(member_id=member_id, kind=events.MEMBER_ERASED, at=at, data={"why": why}, actor_id=actor_id)
        log_access(actor_id=actor_id, action=AccessAction.ERASED, what=why, member_id=member_id, at=at)
    files = remove_files(names) if names else 0
    return Erased(ids, files)


def erase_member(*, member_id: int, at: datetime, actor_id: int | None = None, why: str = "staff") -> Erased:
    """Erases one member. AlreadyErased; FileInUse."""
    if not Member.objects.filter(pk=member_id, erased_at=None).exists():
        raise AlreadyErased
    erased = erase_members(member_ids=[member_id], at=at, actor_id=actor_id, why=why)
    log.info("member erased", member=member_id, by=actor_id, why=why, members=len(erased.member_ids))
    return erased


# Bad rows that quote one of the names, files that were called by one, and what was read of files before they came in.
_IMPORTS = (
    "DELETE FROM members_importproblem WHERE params::text ILIKE ANY(%(names)s) OR others::text ILIKE ANY(%(names)s)",
    "DELETE FROM members_customerproblem WHERE faults::text ILIKE ANY(%(names)s)",
    *(
        f"UPDATE members_{table} SET name = '' WHERE name ILIKE ANY(%(names)s)"
        for table in ("purchaseimport", "customerimport", "exportjob")
    ),
    # What was taken for the names of columns may be a file's first row, and why it was refused may quote a cell.
    *(
        f"""
        UPDATE members_{table} SET
            layout = layout || jsonb_build_object('columns', (
                SELECT coalesce(jsonb_agg(''::text), '[]') FROM jsonb_array_elements(layout -> 'columns'))),
            error_params = (SELECT coalesce(jsonb_object_agg(key, '…'::text), '{{}}') FROM jsonb_each(error_params))
        WHERE layout::text ILIKE ANY(%(names)s) OR error_params::text ILIKE ANY(%(names)s)
        """
        for table in ("purchaseimport", "customerimport")
    ),
)


def _clear_imports(names: Sequence[str]) -> None:
    patterns = ["%" + re.sub(r"([\\%_])", r"\\\1", name) + "%" for name in names]
    for statement in _IMPORTS:
        execute(statement, {"names": patterns})


# pgtrigger.ignore puts a statement of its own before these, so that they take no named parameters.
# What the history of purchases needs to answer a repeated report: numbers and the currency, no words.
_STRIP = """
UPDATE members_timelineevent SET data = (
    SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(data)
    WHERE jsonb_typeof(value) IN ('number', 'boolean') OR key = 'currency'
)
WHERE member_id = ANY(%s) AND kind = ANY(%s)
"""
_REST = "DELETE FROM members_timelineevent WHERE member_id = ANY(%s) AND kind <> ALL(%s)"


def _clear_tables(ids: list[int], at: datetime) -> None:
    purchases = [events.PURCHASE_PAID, events.PURCHASE_REFUNDED]
    PendingReaction.objects.filter(event__member__in=ids).delete()
    with pgtrigger.ignore(
        "members.TimelineEvent:append_only",
        "members.Consent:append_only",
        "members.Refund:append_only",
        "members.AccessLog:append_only",
    ):
        execute(_STRIP, [ids, purchases])
        execute(_REST, [ids, [*purchases, events.MEMBER_ERASED]])
        # That somebody agreed, to which words and when, is kept as proof; by whom and from where is not.
        Consent.objects.filter(member__in=ids).update(evidence="", source="erased", actor=None)
        Refund.objects.filter(purchase__in=Purchase.objects.filter(member__in=ids)).update(reason="")
        CustomEvent.objects.filter(member__in=ids).update(data={})  # its key must go on answering what is told again
        AccessLog.objects.filter(member__in=ids).update(what="")
    take_out("= ANY(%(ids)s)", {"ids": ids})
    for model in (
        Identity,
        MemberTag,
        Note,
        Task,
        Guardian,
        CardClaim,
        SegmentChange,
        SegmentPick,
        MemberListEntry,
        ImportedMember,
        MemberPin,
        TillCode,
    ):
        model._default_manager.filter(member__in=ids).delete()
    CardClaim.objects.filter(user__in=accounts_of(ids)).delete()
    Duplicate.objects.filter(Q(first__in=ids) | Q(second__in=ids)).delete()
    # Without its journal a merge cannot be undone any more.
    MemberMerge.objects.filter(Q(survivor__in=ids) | Q(merged__in=ids)).update(journal={})
    _delete_exports(ids)
    ErasureRequest.objects.filter(member__in=ids, cancelled_at=None, done_at=None).update(done_at=at)
    execute("DELETE FROM members_changedmember WHERE member_id = ANY(%(ids)s)", {"ids": ids})


def _delete_exports(ids: list[int]) -> None:
    for export in DataExport.objects.filter(member__in=ids):
        if export.file:
            export.file.delete(save=False)
        export.delete()


def _clear_members(ids: list[int], at: datetime) -> None:
    """The row stays for the ledger to refer to, under a card number that nobody ever held."""
    households = list(Household.objects.filter(members__in=ids).values_list("pk", flat=True))
    programme = get_programme()
    Member.objects.filter(pk__in=ids).update(
        **dict.fromkeys(("name", "email", "phone", "street", "postal_code", "city", "country"), ""),
        **dict.fromkeys(("birthday_month", "birthday_day", "birthday_year", "household", "user")),
        **dict.fromkeys(("email_verified_at", "phone_verified_at")),
        birthday_leap_month=False,
        birthday_calendar="solar",
        attributes={},
        personalised=False,
        language=programme.language,
        time_zone=programme.time_zone,
        updated_at=at,
    )
    gone = Member.objects.filter(pk__in=ids, erased_at=None)
    gone.update(card_number=NextCardNumber(), erased_at=at)
    Household.objects.filter(pk__in=households, members=None).delete()


def _clear_users(ids: list[int]) -> None:
    """Accounts are kept as empty shells, for records refer to who made them. They open nothing."""
    nothing = make_password(None)
    User.objects.filter(pk__in=ids).update(
        first_name="", last_name="", password=nothing, is_active=False, last_login=None
    )
    execute("UPDATE members_user SET email = 'erased-' || id || '@invalid' WHERE id = ANY(%(ids)s)", {"ids": ids})


# --- A member's own wish --------------------------------------------------------------------------------------------
@transaction.atomic
def request_erasure(*, member_id: int, at: datetime, actor_id: int | None = None) -> ErasureRequest:
    """A member wants to be forgotten: in WAIT from now, unless they think better of it. Asked twice is once."""
    member = Member.objects.select_for_update(no_key=True).get(pk=member_id)
    if member.erased_at is not None or member.merged_into_id is not None:
        raise AlreadyErased
    known = open_request(member_id)
    if known is not None:
        return known
    request = ErasureRequest.objects.create(member=member, requested_at=at, due_at=at + WAIT)
    events.record(
        member_id=member_id,
        kind=events.ERASURE_REQUESTED,
        at=at,
        data={"due": request.due_at.date().isoformat()},
        actor_id=actor_id,
    )
    transaction.on_commit(lambda: _confirm_by_mail(member, request), robust=True)
    return request


def _confirm_by_mail(member: Member, request: ErasureRequest) -> None:
    """So that nobody's account is deleted behind their back."""
    if not member.email:
        return
    with override(member.language):
        words = {
            "programme": get_programme().name,
            "day": date_format(timezone.localtime(request.due_at), "DATE_FORMAT"),
            "url": settings.SITE_URL,
        }
        text = gettext(
            "You asked us to delete your account with %(programme)s. It will happen on %(day)s.\n\nIf that was not you,"
            " or if you think better of it, sign in before that day and keep your account: %(url)s"
        )
        try:
            send_mail(gettext("Your account will be deleted"), text % words, None, [member.email])
        except OSError:
            log.warning("wish to be erased not confirmed by mail", member=member.pk, exc_info=True)


def open_request(member_id: int) -> ErasureRequest | None:
    """The member's wish to be forgotten that has not come true yet."""
    return ErasureRequest.objects.filter(member_id=member_id, cancelled_at=None, done_at=None).first()


@transaction.atomic
def cancel_erasure(*, member_id: int, at: datetime, actor_id: int | None = None) -> bool:
    """The member thought better of it; whether there was a wish."""
    open_requests = ErasureRequest.objects.filter(member_id=member_id, cancelled_at=None, done_at=None)
    if not open_requests.update(cancelled_at=at):
        return False
    events.record(member_id=member_id, kind=events.ERASURE_CANCELLED, at=at, actor_id=actor_id)
    return True


def erase_due(*, at: datetime) -> int:
    """Lets the wishes come true whose time has come; how many. One that fails does not stop the others."""
    due = ErasureRequest.objects.filter(cancelled_at=None, done_at=None, due_at__lte=at).order_by("pk")
    erased = 0
    for member_id in due.values_list("member_id", flat=True):
        try:
            erase_members(member_ids=[member_id], at=at, why="request")
            erased += 1
        except Exception:
            log.exception("member not erased yet", member=member_id)
    return erased


def sweep_again(*, at: datetime) -> int:
    """Takes away what was on its way in while members were erased; how many members were looked at."""
    swept, after = 0, 0
    erased = Member.objects.filter(erased_at__gt=at - SWEEP).order_by("pk")
    while ids := list(erased.filter(pk__gt=after).values_list("pk", flat=True)[:SWEPT_AT_ONCE]):
        erase_members(member_ids=ids, at=at, why="sweep")
        swept, after = swept + len(ids), ids[-1]
    return swept
