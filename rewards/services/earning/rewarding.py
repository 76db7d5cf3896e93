"""What purchases earn that were recorded in this transaction: nothing of them is read again."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from members.services.purchases import NewPurchase, RecordedPurchase, follow_merges
from rewards.services.earning.at_once import happening_of
from rewards.services.earning.facts import Bought, MergedMeanwhile, bought
from rewards.services.earning.live import Opened
from rewards.services.earning.posting import Granted, award_bought, units_given
from rewards.services.ledger import lock_followed, lock_own, touch
from rewards.services.tiers import assess


def award_new(
    told: Sequence[tuple[NewPurchase, RecordedPurchase]],
    begun: Opened,
    at: datetime,
    *,
    paid_otherwise: Mapping[int, int] | None = None,
) -> list[Granted]:
    """As give_new, and assesses tiers."""
    granted, wallets = give_new(told, begun, at, paid_otherwise=paid_otherwise)
    assess(wallets, at)
    return granted


def give_new(
    told: Sequence[tuple[NewPurchase, RecordedPurchase]],
    begun: Opened,
    at: datetime,
    *,
    paid_otherwise: Mapping[int, int] | None = None,
) -> tuple[list[Granted], list[int]]:
    """Locks the wallets of who bought, where `begun` has not, and gives what new purchases earn, in the order of their
    ids; that, and the wallets, whose tiers are left to the caller. `paid_otherwise`: by purchase, minor units paid with
    points or credit."""
    otherwise = paid_otherwise or {}
    found = sorted(_bought(one, was, otherwise.get(was.id)) for one, was in told)
    rules, at_home, units = begun.rules, begun.home, units_given(begun.rules)
    members = {one.member_id for one in found}
    if all((id_, unit) in begun.wallets for id_ in members for unit in units):
        wallets = [wallet for (id_, _unit), wallet in begun.wallets.items() if id_ in members]
    else:
        wallets = lock_own(members, units=units)
    try:
        granted = award_bought(found, rules, at_home, at)
    except MergedMeanwhile:  # while this was on its way
        wallets, _followed = lock_followed(members, units=units)
        follow_merges(purchase_ids=[one.id for one in found])
        found = bought([one.id for one in found], otherwise)
        granted = award_bought(found, rules, at_home, at)
    acts = sorted((min(one.case.happening.at, at), one.case.member_id) for one in granted if one.lives)
    if acts:
        touch({member_id: moment for moment, member_id in acts}, now=at)  # of several, the latest
    return granted, wallets


def _bought(told: NewPurchase, was: RecordedPurchase, otherwise: int | None) -> Bought:
    return Bought(was.id, told.member_id, happening_of(told, was, otherwise))
