"""What a cashier does for a member: each act once by its key, with the member's word where it costs much, and undone
within minutes. The rules of points are rewards' own (checkout, redemptions, plans). docs/till.md."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils.translation import gettext, gettext_noop

from members.models import Purchase
from rewards.enums import Fulfilment, PlanState, RedemptionState
from rewards.models import PlanMembership, Redemption
from rewards.queries_benefits import plans_on_sale
from rewards.queries_catalogue import for_session, look_at
from rewards.services.benefits import undo_use
from rewards.services.checkout import Basket, Receipt, Refusal, check_out
from rewards.services.fulfilment import redeem_code, set_fulfilment
from rewards.services.handing_over import CannotTakeBack
from rewards.services.plans import AlreadyOver, LaterMembership, buy_plan, cancel_plan
from rewards.services.redemptions import RedemptionRefused, RedemptionSettled, redeem_reward, refund_redemption
from rewards.services.refunds import refund_purchase
from till.services.proof import Word, is_asked, prove

SOURCE = "till-page"  # a connected till may call itself "till"
UNDO_FOR = timedelta(minutes=10)
UNDONE = gettext_noop("Undone at the till")


class Refused(Exception):
    """The purchase is not taken."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


class Changed(Exception):
    """It no longer comes to what the cashier was shown."""

    def __init__(self, receipt: Receipt) -> None:
        super().__init__(receipt.due_minor)
        self.receipt = receipt


class WasUndone(Exception):
    """The form was sent before, and what it did was undone: sent again, it must not seem done."""

    @property
    def sentence(self) -> str:
        return gettext("This was undone. Please scan the card again.")


class CannotUndo(Exception):
    """It stays as it is: "late", "used" (what it gave is used up), "followed" (something rests on it), "over" (it is
    undone, or has ended), or "nothing" (no money was taken)."""

    @property
    def sentence(self) -> str:
        return {
            "late": gettext("That is too long ago to be undone here. A manager can give it back."),
            "used": gettext("What it gave has been used already."),
            "followed": gettext("A later membership rests on this one."),
            "nothing": gettext("It cost nothing, so there is nothing to give back."),
        }.get(self.args[0], gettext("That was undone before."))


@contextmanager
def one_at_a_time(key: str) -> Iterator[None]:
    """Of two that bring one key at the same moment the second waits, so that it finds what the first did: a code that
    was used up for it is not asked for again. Not a transaction's lock: a wrong try must count whatever follows."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"till:{key}"])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [f"till:{key}"])


def weigh(*, basket: Basket, at: datetime) -> Receipt:
    """What a purchase would come to; nothing is written. Refused."""
    (answer,) = check_out(baskets=[basket], at=at, dry_run=True)
    if isinstance(answer, Refusal):
        raise Refused(answer)
    return answer


def sell(*, basket: Basket, seen: str, word: Word, at: datetime, actor_id: int) -> Receipt:
    """Records a purchase of which the cashier was shown `seen` (see `fingerprint`).
    Refused; Changed; WasUndone; proof.Unproven."""
    with one_at_a_time(basket.key):
        tried = weigh(basket=basket, at=at)
        if tried.is_new:
            if fingerprint(tried) != seen:
                raise Changed(tried)
            if is_asked(points=basket.pay_points, credit_minor=basket.pay_credit_minor):
                prove(member_id=basket.member_id, word=word, at=at)
        (answer,) = check_out(baskets=[basket], at=at, actor_id=actor_id)
    if isinstance(answer, Refusal):
        raise Refused(answer)
    if not answer.is_new and Purchase.objects.filter(pk=answer.purchase_id, refunded_minor__gt=0).exists():
        raise WasUndone
    return answer


def fingerprint(receipt: Receipt) -> str:
    """What the cashier must have seen before it is done."""
    return f"{receipt.total_minor}:{receipt.due_minor}"


def redeem(
    *,
    member_id: int,
    reward_id: int,
    session_id: int | None,
    key: str,
    store: str,
    word: Word,
    hand_over: bool,
    at: datetime,
    actor_id: int,
) -> Redemption:
    """Takes a reward for the member and, with `hand_over`, gives it out at once where it is there to be collected.
    RedemptionRefused; WasUndone; proof.Unproven; KeyReused; Reward.DoesNotExist."""
    with one_at_a_time(key):
        if not Redemption.objects.filter(source=SOURCE, key=key).exists():
            shelf = look_at(reward_id, member_id=member_id, at=at)
            reasons = for_session(shelf, session_id) if shelf.reward.kind == "experience" else shelf.reasons
            if reasons:  # before the member is asked for a code in vain
                raise RedemptionRefused(*reasons)
            if is_asked(points=shelf.price.points):
                prove(member_id=member_id, word=word, at=at)
        with transaction.atomic():
            redemption = redeem_reward(
                member_id=member_id,
                reward_id=reward_id,
                session_id=session_id,
                source=SOURCE,
                key=key,
                store=store,
                at=at,
                actor_id=actor_id,
            )
            if hand_over and redemption.code and redemption.fulfilment == Fulfilment.TO_COLLECT:
                redemption = redeem_code(code=redemption.code, at=at, store=store, actor_id=actor_id)
    if redemption.state != RedemptionState.CONFIRMED:
        raise WasUndone
    return redemption


def sell_plan(
    *, member_id: int, plan_id: int, with_points: bool, key: str, word: Word, at: datetime, actor_id: int
) -> PlanMembership:
    """Sells a membership. plans.NotOnSale; InsufficientPoints; WasUndone; proof.Unproven; KeyReused;
    MembershipPlan.DoesNotExist."""
    with one_at_a_time(key):
        known = PlanMembership.objects.filter(source=SOURCE, key=key).exists()
        if with_points and not known:
            plan = plans_on_sale().get(pk=plan_id)
            if plan.price_points and is_asked(points=plan.price_points):
                prove(member_id=member_id, word=word, at=at)
        bought = buy_plan(
            member_id=member_id,
            plan_id=plan_id,
            source=SOURCE,
            key=key,
            with_points=with_points,
            at=at,
            actor_id=actor_id,
        )
    if bought.state != PlanState.ACTIVE:
        raise WasUndone
    return bought


@dataclass(frozen=True, slots=True)
class Act:
    """What this till did last. `kind`: purchase, redemption, collected, benefit or plan; `words` says it to the
    cashier and names nobody."""

    kind: str
    id: int
    member_id: int
    at: datetime
    words: str
    undone: bool = False

    def can_be_undone(self, at: datetime) -> bool:
        return not self.undone and at - self.at < UNDO_FOR


def undo(*, act: Act, at: datetime, actor_id: int) -> Act:
    """Takes the last act back, with all that came of it; twice is once. CannotUndo."""
    if act.undone:
        return act
    if at - act.at >= UNDO_FOR:
        raise CannotUndo("late")
    try:
        match act.kind:
            case "purchase":
                _give_back(act, at, actor_id)
            case "redemption":
                refund_redemption(redemption_id=act.id, at=at, actor_id=actor_id, reason=UNDONE)
            case "collected":
                set_fulfilment(redemption_ids=[act.id], to=Fulfilment.TO_COLLECT, at=at, actor_id=actor_id)
            case "benefit":
                undo_use(use_id=act.id, at=at, actor_id=actor_id)
            case "plan":
                cancel_plan(membership_id=act.id, at=at, actor_id=actor_id)
    except CannotTakeBack as error:
        raise CannotUndo("used") from error
    except LaterMembership as error:
        raise CannotUndo("followed") from error
    except (AlreadyOver, RedemptionSettled) as error:
        raise CannotUndo("over") from error
    return replace(act, undone=True)


def _give_back(act: Act, at: datetime, actor_id: int) -> None:
    try:
        refund_purchase(
            purchase_id=act.id, source=SOURCE, key=f"undo:{act.id}", at=at, reason=UNDONE, actor_id=actor_id
        )
    except ValueError as error:
        raise CannotUndo("nothing") from error
