"""What a merge of two members does with their points and tiers, and its undoing. docs/duplicates.md."""

from datetime import datetime
from typing import Any

from django.db.models import Sum
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from common.sql import execute, fetch_all
from members.merging import Merging, Step, Strategy, register, register_facts, register_step
from members.queries import family
from rewards.enums import AccountKind, HoldState, TierCause, Unit
from rewards.models import Account, Hold, MemberTier
from rewards.queries import amount_text, arrears, balance, points_text
from rewards.queries_tiers import tier_standing
from rewards.services.expiry import empty
from rewards.services.ledger import lock_wallets
from rewards.services.moved_points import forward, send_back, send_debts_back
from rewards.services.tiers import assess

_TIER = "rewards.tier"
_PURCHASES = "members.Purchase.member"


def _lock(member_ids: list[int]) -> None:
    lock_wallets(member_ids)


def _wallets(*member_ids: int) -> list[int]:
    """Of every unit."""
    wallets = Account.objects.filter(kind=AccountKind.WALLET, member_id__in=member_ids)
    return list(wallets.order_by("pk").values_list("pk", flat=True))


def _prepare(merging: Merging) -> None:
    """What has expired does not move: it expires now, and the event follows with the others."""
    empty(_wallets(merging.survivor_id, merging.merged_id), merging.at)


def _merge(merging: Merging) -> None:
    forward(member_ids=[merging.merged_id], at=merging.at)
    if status := MemberTier.objects.filter(member=merging.merged_id).first():
        merging.journal[_TIER] = {"tier": status.tier_id, "since": status.since.isoformat()}
        status.delete()
    assess(_wallets(merging.survivor_id), merging.at, cause=TierCause.MERGE)


def _gather(merging: Merging) -> None:
    forward(member_ids=[merging.merged_id], at=merging.at)
    MemberTier.objects.filter(member=merging.merged_id).delete()
    assess(_wallets(merging.survivor_id), merging.at, cause=TierCause.MERGE)


# Purchases whose points came to another wallet than those that go: they were given since, and stay where these are.
_STAYING = """
SELECT DISTINCT earn.purchase_id FROM rewards_transfer AS earn
JOIN rewards_account AS wallet ON wallet.id = earn.credit_id
WHERE earn.purchase_id = ANY(%(purchases)s) AND earn.kind = 'earn' AND NOT wallet.member_id = ANY(%(members)s)
"""


def _undo(merging: Merging) -> None:
    moved = merging.journal["moved"]
    going = [merging.merged_id, *moved.get("members.Member.merged_into", [])]
    staying = fetch_all(_STAYING, {"purchases": moved.get(_PURCHASES, []), "members": going})
    moved[_PURCHASES] = sorted(set(moved.get(_PURCHASES, [])) - {id_ for (id_,) in staying})
    lock_wallets([merging.survivor_id, *going])
    acted: dict[str, Any] = {"merge_id": merging.id, "at": merging.at, "actor_id": merging.actor_id}
    own = Account.objects.filter(pk__in=_wallets(merging.survivor_id)).order_by("pk")
    empty([wallet.pk for wallet in own], merging.at)
    for wallet in own:
        back = send_back(wallet_id=wallet.pk, **acted)
        if back.short and wallet.unit == Unit.CREDIT:
            text = gettext("%(amount)s could not go back: it has been spent.")
            merging.remarks.append(text % {"amount": amount_text(back.short, wallet.unit)})
        elif back.short:
            text = ngettext(
                "%(n)d point could not go back: it has been spent.",
                "%(n)d points could not go back: they have been spent.",
                back.short,
            )
            merging.remarks.append(text % {"n": back.short})
    send_debts_back(member_id=merging.survivor_id, **acted)


_SINCE = """
UPDATE rewards_membertier SET since = %(since)s
WHERE member_id = %(member)s AND tier_id = %(tier)s AND since > %(since)s
"""


def _undone(merging: Merging) -> None:
    """By now each is who they were. What came home to a wallet of somebody merged before goes on as it did then."""
    home = [member_id for member_id in family([merging.merged_id]) if member_id != merging.merged_id]
    forward(member_ids=home, at=merging.at)
    both = _wallets(merging.survivor_id, merging.merged_id)
    empty(both, merging.at)
    assess(both, merging.at, cause=TierCause.MERGE)
    if status := merging.journal.get(_TIER):
        execute(_SINCE, {"member": merging.merged_id, **status})


def _facts(member_id: int, at: datetime) -> list[tuple[Promise | str, str]]:
    standing = tier_standing(member_id, at)
    own = {"account__member__in": family([member_id]), "account__unit": Unit.POINTS}
    held = Hold.objects.filter(**own, state=HoldState.RESERVED)
    return [
        (_("Points"), points_text(balance(member_id, at))),
        (_("Store credit"), amount_text(balance(member_id, at, Unit.CREDIT), Unit.CREDIT)),
        (_("Owed"), points_text(arrears(member_id))),
        (_("Reserved"), points_text(held.aggregate(n=Sum("amount", default=0))["n"])),
        (_("Tier"), str(standing.tier) if standing.tier else "–"),
        (_("Points that count for tiers"), points_text(standing.qualifying_points)),
    ]


register("rewards.Account.member", Strategy.LEAVE)  # the ledger is not rewritten: points move by transfers
register("rewards.MemberTier.member", Strategy.LEAVE)  # the survivor is assessed by what both earned
register("rewards.TierChange.member", Strategy.LEAVE)  # the way of a card that is no more
register("rewards.TierLift.member", Strategy.LEAVE)  # so is what staff lent to it
register("rewards.PlanMembership.member", Strategy.MOVE)
register("rewards.BenefitUse.member", Strategy.MOVE)  # what both had counts together
register("rewards.Coupon.member", Strategy.MOVE)
register("rewards.CouponUse.member", Strategy.MOVE)
register("rewards.GrantRequest.member", Strategy.MOVE)  # what waits is given to who they are now
register("rewards.Redemption.member", Strategy.MOVE)
# One wait for a date is enough; a place kept for the other card goes to the next in its time.
register(
    "rewards.WaitingEntry.member",
    Strategy.MOVE,
    stays=(
        "row.state IN ('waiting', 'offered') AND EXISTS (SELECT FROM rewards_waitingentry AS other"
        " WHERE other.member_id = {survivor} AND other.session_id = row.session_id"
        " AND other.state IN ('waiting', 'offered'))"
    ),
)
register_step(Step(lock=_lock, prepare=_prepare, merge=_merge, undo=_undo, undone=_undone, gather=_gather))
register_facts(_facts)
