"""What staff may do with single lots: activate or cancel what is pending, let a lot live longer, bring back what has
expired. Each has a reason for staff and a note for the member, and is done once by its key. Lots of gift cards are
no member's and unknown here. docs/ledger.md."""

import json
from datetime import datetime
from typing import Any, cast

import pgtrigger
from django.db import transaction
from django.db.models import Sum

from common.sql import fetch_all
from members.events import record
from members.services.purchases import KeyReused
from rewards.enums import AccountKind, LotAct, TransferKind, Unit
from rewards.events import POINTS_ACTIVATED, POINTS_CANCELLED, POINTS_EXTENDED, POINTS_REINSTATED, told_unit
from rewards.models import Lot, LotChange, LotUse, Transfer
from rewards.services.ledger import credit, debit, lock_followed, owe
from rewards.services.moved_points import ORIGIN
from rewards.services.taking_back import give_to_budgets
from rewards.services.tiers import assess


class NotPending(Exception):
    """The lot can be spent already."""


class LotGone(Exception):
    """Nothing is left in the lot, or it has expired."""


class NotLater(Exception):
    """The new moment is not after the present one, or has passed. `args[0]` is the present one."""


class Reinstated(Exception):
    """What expired was brought back before."""


@transaction.atomic
def activate_lot(
    *, lot_id: int, key: str, at: datetime, reason: str, note: str = "", actor_id: int | None = None
) -> LotChange:
    """Lets a pending lot be spent from now on; its expiry stays. The same key with the same content gives the same
    answer. NotPending; LotGone; KeyReused; Lot.DoesNotExist; ValueError without a reason."""
    lot, member_id = _locked(lot_id, reason)
    if known := _known(key, lot, LotAct.ACTIVATE, reason):
        return known
    _check_open(lot, at)
    if lot.available_from <= at:
        raise NotPending
    change = _change(lot, key, LotAct.ACTIVATE, lot.available_from, at, reason, actor_id, at)
    _tell(POINTS_ACTIVATED, lot, member_id, lot.remaining, at, reason, note, actor_id)
    return change


@transaction.atomic
def extend_lot(
    *,
    lot_id: int,
    expires_at: datetime | None,
    key: str,
    at: datetime,
    reason: str,
    note: str = "",
    actor_id: int | None = None,
) -> LotChange:
    """Lets a lot live until a later moment, or for ever (None). The same key with the same content gives the same
    answer. NotLater; LotGone; KeyReused; Lot.DoesNotExist; ValueError without a reason."""
    lot, member_id = _locked(lot_id, reason)
    if known := _known(key, lot, LotAct.EXTEND, reason):
        if known.now != expires_at:
            raise KeyReused(key)
        return known
    _check_open(lot, at)
    if lot.expires_at is None or (expires_at is not None and expires_at <= max(lot.expires_at, at)):
        raise NotLater(lot.expires_at)
    change = _change(lot, key, LotAct.EXTEND, lot.expires_at, expires_at, reason, actor_id, at)
    until = expires_at.isoformat() if expires_at else None
    _tell(POINTS_EXTENDED, lot, member_id, lot.remaining, at, reason, note, actor_id, until=until)
    return change


_CANCEL = """
SELECT %(key)s, %(member)s::bigint, %(amount)s::bigint, %(at)s::timestamptz, %(reason)s, %(why)s::jsonb,
       %(actor)s::bigint, NULL::bigint, %(reverses)s::bigint, %(note)s
"""
_ROOT = ORIGIN + "SELECT lot.transfer_id FROM origin JOIN rewards_lot AS lot USING (id) ORDER BY lot.id LIMIT 1"


@transaction.atomic
def cancel_lot(
    *, lot_id: int, key: str, at: datetime, reason: str, note: str = "", actor_id: int | None = None
) -> Transfer:
    """Takes back what is pending, by a transfer that reverses the one that gave it. What it repaid of the member's
    arrears is owed again; its rule may give it again. The same key with the same content gives the same transfer.

    NotPending; LotGone; KeyReused; Lot.DoesNotExist; ValueError without a reason.
    """
    lot, member_id = _locked(lot_id, reason)
    name = f"cancel:{key}"
    if transfer := Transfer.objects.filter(key=name).first():
        if transfer.reason != reason or transfer.why["lot"] != lot.pk:
            raise KeyReused(key)
        return transfer
    _check_open(lot, at)
    if lot.available_from <= at:
        raise NotPending
    unit = Unit(lot.account.unit)
    given = Transfer.objects.select_related("rule").get(pk=fetch_all(_ROOT, {"lots": [lot.pk]})[0][0])
    why = {"lot": lot.pk, "pending_until": lot.available_from.isoformat()}
    debit(
        kind=TransferKind.REVERSE,
        target=AccountKind.ISSUED,
        select=_CANCEL,
        params={
            "key": name,
            "member": member_id,
            "amount": lot.remaining,
            "at": at,
            "reason": reason,
            "why": json.dumps(why),
            "actor": actor_id,
            "reverses": given.pk,
            "note": note,
        },
        unit=unit,
        first=[lot.pk],
        also=["note"],
    )
    repaid = LotUse.objects.filter(lot__transfer=given, transfer__kind=TransferKind.REPAY)
    owed = repaid.aggregate(n=Sum("amount", default=0))["n"]
    if owed:
        owe(
            kind=TransferKind.REVERSE,
            target=AccountKind.ISSUED,
            key=f"{name}:owed",
            member_id=member_id,
            amount=owed,
            at=at,
            unit=unit,
            reason=reason,
            why=why,
            actor_id=actor_id,
            reverses_id=given.pk,
        )
    if given.rule:
        give_to_budgets({given.rule.rule_id: lot.remaining + owed})
    _tell(POINTS_CANCELLED, lot, member_id, lot.remaining, at, reason, note, actor_id)
    if given.kind == TransferKind.EARN and unit == Unit.POINTS:
        assess([lot.account_id], at)
    return Transfer.objects.get(key=name)


_REINSTATE = """
SELECT %(key)s, %(member)s::bigint, %(amount)s::bigint, %(at)s::timestamptz, %(at)s::timestamptz,
       %(expires_at)s::timestamptz, %(reason)s, %(why)s::jsonb, %(actor)s::bigint, NULL::bigint, %(note)s,
       %(reverses)s::bigint
"""


@transaction.atomic
def reinstate(
    *,
    transfer_id: int,
    expires_at: datetime | None,
    key: str,
    at: datetime,
    reason: str,
    note: str = "",
    actor_id: int | None = None,
) -> Transfer:
    """Brings back what an expiry took, in a lot of its own that lives until `expires_at`. What belonged to a member
    merged since comes to who that member is now. The same key with the same content gives the same transfer.

    Reinstated; NotLater where `expires_at` has passed; KeyReused; Transfer.DoesNotExist where the transfer is no
    expiry; ValueError without a reason.
    """
    _check_reason(reason)
    expiries = Transfer.objects.select_related("debit").exclude(debit__member=None)
    expiry = expiries.get(pk=transfer_id, kind=TransferKind.EXPIRE)
    unit, member_id = Unit(expiry.debit.unit), cast(int, expiry.debit.member_id)
    _, followed = lock_followed([member_id], units=[unit])
    member_id = followed.get(member_id, member_id)
    name = f"reinstate:{key}"
    if known := Transfer.objects.select_related("lot").filter(key=name).first():
        if (known.reverses_id, known.reason, known.lot.expires_at) != (transfer_id, reason, expires_at):
            raise KeyReused(key)
        return known
    if Transfer.objects.filter(reverses=expiry).exists():
        raise Reinstated
    if expires_at is not None and expires_at <= at:
        raise NotLater(expires_at)
    credit(
        kind=TransferKind.REINSTATE,
        source=AccountKind.EXPIRED,
        select=_REINSTATE,
        params={
            "key": name,
            "member": member_id,
            "amount": expiry.amount,
            "at": at,
            "expires_at": expires_at,
            "reason": reason,
            "why": json.dumps({"expiry": expiry.pk}),
            "actor": actor_id,
            "note": note,
            "reverses": expiry.pk,
        },
        unit=unit,
        also=["note", "reverses_id"],
    )
    transfer = Transfer.objects.select_related("lot").get(key=name)
    _tell(POINTS_REINSTATED, transfer.lot, member_id, transfer.amount, at, reason, note, actor_id, unit=unit)
    return transfer


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise ValueError("staff say why")


def _locked(lot_id: int, reason: str) -> tuple[Lot, int]:
    """The lot as it stands once its wallet is locked, and who its member is now."""
    _check_reason(reason)
    own = Lot.objects.exclude(account__member=None)
    member_id = own.values_list("account__member_id", flat=True).get(pk=lot_id)
    _, followed = lock_followed([member_id])
    return Lot.objects.select_related("account").get(pk=lot_id), followed.get(member_id, member_id)


def _check_open(lot: Lot, at: datetime) -> None:
    if not lot.remaining or (lot.expires_at is not None and lot.expires_at <= at):
        raise LotGone


def _known(key: str, lot: Lot, act: LotAct, reason: str) -> LotChange | None:
    known = LotChange.objects.filter(key=key).first()
    if known and (known.lot_id, known.act, known.reason) != (lot.pk, act, reason):
        raise KeyReused(key)
    return known


def _change(
    lot: Lot,
    key: str,
    act: LotAct,
    was: datetime | None,
    now: datetime | None,
    reason: str,
    actor_id: int | None,
    at: datetime,
) -> LotChange:
    column = "available_from" if act == LotAct.ACTIVATE else "expires_at"
    with pgtrigger.ignore("rewards.Lot:times"):
        Lot.objects.filter(pk=lot.pk).update(**{column: now})
    return LotChange.objects.create(
        key=key, lot=lot, act=act, was=was, now=now, reason=reason, actor_id=actor_id, at=at
    )


def _tell(
    kind: str,
    lot: Lot,
    member_id: int,
    amount: int,
    at: datetime,
    reason: str,
    note: str,
    actor_id: int | None,
    unit: str = "",
    **more: Any,
) -> None:
    data = {"points": amount, "lot": lot.pk, "reason": reason, **more, **told_unit(unit or lot.account.unit)}
    if note:
        data["note"] = note
    record(member_id=member_id, kind=kind, at=at, data=data, actor_id=actor_id)
