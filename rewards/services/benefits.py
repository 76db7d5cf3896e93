"""Having a benefit, once by each key, and taking that back. docs/benefits.md."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext

from members import events
from members.queries import merged_into
from members.services.purchases import KeyReused
from rewards.enums import BenefitKind
from rewards.events import BENEFIT_UNDONE, BENEFIT_USED
from rewards.models import Benefit, BenefitUse
from rewards.queries_benefits import USED, Entitlement, entitlements
from rewards.services.ledger import lock_followed


class NotEntitled(Exception):
    """The member has no such benefit at that moment."""

    def __init__(self, benefit: Benefit) -> None:
        super().__init__(benefit.pk)
        self.benefit = benefit


class NothingLeft(Exception):
    """All uses of the period are used up; `entitlement` says how many, and until when."""

    def __init__(self, entitlement: Entitlement) -> None:
        super().__init__(entitlement.benefit.pk, entitlement.used)
        self.entitlement = entitlement


class AppliesByItself(Exception):
    """A multiplier, a price or early access holds without being written down."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = BenefitKind(kind)


@transaction.atomic
def use_benefit(
    *,
    member_id: int,
    benefit_id: int,
    source: str,
    key: str,
    at: datetime,
    store: str = "",
    note: str = "",
    actor_id: int | None = None,
) -> BenefitUse:
    """Writes down that a member had a benefit. A known (source, key) is answered as before.

    The member's wallets are locked first, so that two tills never give the last one twice. NotEntitled; NothingLeft;
    AppliesByItself; KeyReused where the key is known with another member or benefit; Benefit.DoesNotExist.
    """
    benefit = Benefit.objects.get(pk=benefit_id)
    followed = lock_followed([member_id])[1]
    member_id = followed.get(member_id, member_id)
    if known := BenefitUse.objects.select_related("benefit").filter(source=source, key=key).first():
        owner = merged_into([known.member_id]).get(known.member_id, known.member_id)
        if (owner, known.benefit_id) != (member_id, benefit_id):
            raise KeyReused(key)
        return known
    if benefit.kind not in USED:
        raise AppliesByItself(benefit.kind)
    held = next((one for one in entitlements(member_id, at) if one.benefit.pk == benefit_id), None)
    if held is None:
        raise NotEntitled(benefit)
    if held.left == 0:
        raise NothingLeft(held)
    use = BenefitUse.objects.create(
        source=source,
        key=key,
        benefit=benefit,
        member_id=member_id,
        at=at,
        store=store,
        note=note,
        actor_id=actor_id,
    )
    events.record(member_id=member_id, kind=BENEFIT_USED, at=at, actor_id=actor_id, data=_told(use))
    return use


@transaction.atomic
def undo_use(*, use_id: int, at: datetime, actor_id: int | None = None) -> BenefitUse:
    """Takes a use back: it no longer counts. What was undone before stays as it is. BenefitUse.DoesNotExist."""
    use = BenefitUse.objects.select_related("benefit").get(pk=use_id)
    lock_followed([use.member_id])
    if BenefitUse.objects.filter(pk=use_id, undone_at=None).update(undone_at=at):
        events.record(member_id=use.member_id, kind=BENEFIT_UNDONE, at=at, actor_id=actor_id, data=_told(use))
    use.refresh_from_db()
    return use


def refused_words(error: Exception) -> str:
    """Why a benefit cannot be had, as a sentence for who stands at the till."""
    if isinstance(error, NotEntitled):
        return gettext("The member does not have “%(benefit)s” now.") % {"benefit": error.benefit}
    if isinstance(error, AppliesByItself):
        return gettext("This benefit holds by itself: nothing is to be written down.")
    if isinstance(error, NothingLeft):
        held = error.entitlement
        words: dict[str, Any] = {"benefit": held.benefit, "n": held.used}
        if held.period_end is None:
            return gettext("“%(benefit)s” is used up.") % words
        words["day"] = date_format(localtime(held.period_end), "DATE_FORMAT", use_l10n=True)
        return gettext("“%(benefit)s” is used up; again from %(day)s.") % words
    raise error


def erase_uses(member_ids: Sequence[int], at: datetime) -> None:
    """Blanks what staff typed beside the uses of members who are erased."""
    BenefitUse.objects.filter(member__in=member_ids).exclude(note="").update(note="")


def _told(use: BenefitUse) -> dict:
    benefit = use.benefit
    name = {"en": benefit.name_en or benefit.name, "zh-hans": benefit.name_zh_hans or benefit.name}  # type: ignore[attr-defined]
    return {"use": use.pk, "benefit": benefit.pk, "name": name, "store": use.store}
