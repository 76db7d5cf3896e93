"""POST /purchases, POST /purchases/batch."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.timezone import now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop
from ninja import Router
from pydantic import ValidationError

from api import schemas
from api.auth import ApiKey
from api.enums import Scope
from api.errors import Refused, invalid, respond
from api.queries import Ref, find_members, read_ref
from api.services.answers import Done, Keep, Kept, KeyReused, MemberErased, Unsure, once_each
from api.services.keys import still
from api.views.common import (
    answer_once,
    call,
    caller,
    finding_of,
    guessers,
    key_reused,
    member_erased,
    member_of,
    rfc3339,
    to_minor_or_refuse,
    too_many_guesses,
    unknown_member,
)
from api.views.referrals import noted
from common.money import to_major
from common.sql import Params
from members.queries import get_programme
from referrals.services import traces
from rewards.enums import Unit
from rewards.services.checkout import Basket, BasketLine, Earned, Receipt, Refusal, check_out, check_out_within
from rewards.services.coupons.guessing import let_through

router = Router(tags=[gettext_noop("Purchases")])
_CONFLICTS = {"key_reused": 409, "member": 404, "member_gone": 404, "no_such_member": 404}


@call(
    router,
    "POST",
    "/purchases",
    Scope.PURCHASES_WRITE,
    {201: schemas.Receipt, 200: schemas.Receipt},
    summary=gettext_lazy("Record a purchase"),
    description=gettext_lazy(
        "What was bought, with coupons, and paid with points or store credit if they like. The answer says what it "
        "earned, and why. With dry_run it says what it would, and nothing is written."
    ),
    operation_id="record_purchase",
    lately=True,
)
def record(request: HttpRequest, body: schemas.NewPurchase) -> HttpResponse:
    if caller(request).lately:
        try:
            return _record(request, body)
        except Unsure:
            request.auth = ApiKey(Scope.PURCHASES_WRITE)(request)  # type: ignore[attr-defined]
    return _record(request, body)


def _record(request: HttpRequest, body: schemas.NewPurchase) -> HttpResponse:
    at, source = now(), caller(request).source
    seen = {"device": body.device, "payment": body.payment}
    plain = not (body.coupons or body.pay_with or body.dry_run or any(seen.values()))
    if caller(request).lately and not plain:
        raise Unsure
    if body.coupons and (wait := let_through(guessers(request, [body.member]), [body.coupons], at)[0]):
        raise too_many_guesses(wait)

    def done(receipt: Receipt) -> Done:
        is_new, told = receipt.is_new and not body.dry_run, _told(receipt, body.key, body.dry_run)
        if body.referral_code and not body.dry_run:
            told["referral"] = noted(request, receipt, body.referral_code, at)
        return Done(201 if is_new else 200, told, receipt.member_id)

    def act(keep: Keep | None = None) -> Done:
        try:
            return buy(keep)
        except Exception as problem:
            if caller(request).lately:
                raise Unsure from problem
            raise

    def buy(keep: Keep | None) -> Done:
        # Who buys with money alone is looked up with all that the checkout begins with.
        find = finding_of(request, body.member) if plain else None
        if find and caller(request).lately:
            find = still(caller(request), find)
        basket = basket_of(body, 0 if find else member_of(request, body.member), source)
        if any(seen.values()) and not body.dry_run:
            traces.note(member_id=basket.member_id, seen=seen, at=at)
        kept: list[Done] = []

        def keep_receipt(receipt: Receipt) -> tuple[str, Params]:
            kept.append(done(receipt))
            return keep(kept[0])  # type: ignore[misc]  # asked only where there is one

        if body.dry_run:
            (answer,) = check_out(baskets=[basket], at=at, dry_run=True)
        else:  # what is raised undoes it
            answer = check_out_within(basket=basket, at=at, find=find, keep=keep_receipt if keep else None)
        if isinstance(answer, Refusal):
            raise from_refusal(answer)
        return kept[0] if kept else done(answer)

    if body.dry_run:
        said = act()
        return respond(said.status, said.body)
    # A purchase's own key keeps it from being recorded twice. Who guesses codes is told at once what they were told.
    return answer_once(request, "purchases", body.key, act, new=not (body.coupons or body.pay_with))


@call(
    router,
    "POST",
    "/purchases/batch",
    Scope.PURCHASES_WRITE,
    {200: schemas.AnsweredPurchases},
    summary=gettext_lazy("Record many purchases"),
    description=gettext_lazy(
        "Up to 1,000 at once, each as if it were sent alone, and answered for itself in the same order: what is wrong "
        "with one harms no other."
    ),
    operation_id="record_purchases",
)
def record_many(request: HttpRequest, body: schemas.ManyPurchases) -> HttpResponse:
    at, source = now(), caller(request).source
    batch = _Batch(source, at)
    for n, told in enumerate(body.purchases):
        batch.read(n, told)
    batch.throttle(request)
    if batch.bodies:
        kept = once_each(call="purchases", source=source, bodies=batch.bodies, act=batch.act)
        batch.take(kept)
    return respond(200, {"answers": [batch.answers[n] for n in range(len(body.purchases))]})


class _Batch:
    """Purchases on their way: each is answered for at its place in the list."""

    def __init__(self, source: str, at: datetime) -> None:
        self.source, self.at = source, at
        self.answers: dict[int, dict[str, Any]] = {}
        self.bodies: dict[str, Any] = {}  # by key; of those that can be read
        self.read_: dict[str, schemas.NewPurchase] = {}
        self.places: dict[str, list[int]] = {}
        self.refused: dict[str, Refused] = {}

    def read(self, n: int, told: Any) -> None:
        key = told.get("key") if isinstance(told, dict) and isinstance(told.get("key"), str) else None
        try:
            body = schemas.NewPurchase.model_validate(told)
        except ValidationError as error:
            self.answers[n] = _problem(key, invalid(error.errors()))
            return
        if body.dry_run:
            message = _("In a batch there is no dry_run.")
            self.answers[n] = _problem(key, Refused(422, "invalid", message, field="dry_run"))
        elif body.referral_code:
            message = _("A referral code comes with a single purchase.")
            self.answers[n] = _problem(key, Refused(422, "invalid", message, field="referral_code"))
        elif body.key not in self.bodies:
            self.bodies[body.key], self.read_[body.key], self.places[body.key] = told, body, [n]
        elif self.bodies[body.key] == told:
            self.places[body.key].append(n)
        else:
            self.answers[n] = _problem(key, key_reused())

    def throttle(self, request: HttpRequest) -> None:
        """Lets none through whose codes are one guess too many."""
        keys = [key for key, body in self.read_.items() if body.coupons]
        whos = guessers(request, [self.read_[key].member for key in keys])
        for key, wait in zip(keys, let_through(whos, [self.read_[key].coupons for key in keys], self.at), strict=True):
            if wait:
                for n in self.places.pop(key):
                    self.answers[n] = _problem(key, too_many_guesses(wait))
                del self.bodies[key]

    def act(self, keys: Sequence[str]) -> dict[str, Done | None]:
        """What came of those that are new; None, and the refusal kept, of what is refused."""
        refs = {key: read_ref(self.read_[key].member, self.source) for key in keys}
        found = find_members([ref for ref in refs.values() if ref])
        baskets: dict[str, Basket] = {}
        for key in keys:
            try:
                baskets[key] = basket_of(self.read_[key], _present(refs[key], found), self.source)
            except Refused as refused:
                self.refused[key] = refused
        done: dict[str, Done | None] = dict.fromkeys(keys)
        for key, answer in zip(baskets, check_out(baskets=list(baskets.values()), at=self.at), strict=True):
            if isinstance(answer, Refusal):
                self.refused[key] = from_refusal(answer)
            else:
                done[key] = Done(201 if answer.is_new else 200, _told(answer, key), answer.member_id)
        return done

    def take(self, kept: dict[str, Kept | None]) -> None:
        for key, places in self.places.items():
            answer = kept[key]
            for again, n in enumerate(places):
                match answer:
                    case Done():
                        status = 200 if again else answer.status
                        self.answers[n] = {"key": key, "status": status, "receipt": answer.body}
                    case KeyReused():
                        self.answers[n] = _problem(key, key_reused())
                    case MemberErased():
                        self.answers[n] = _problem(key, member_erased())
                    case _:
                        self.answers[n] = _problem(key, self.refused[key])


def _present(ref: Ref | None, found: dict[Ref, int]) -> int:
    if ref is None or ref not in found:
        raise unknown_member()
    return found[ref]


def _problem(key: str | None, refused: Refused) -> dict[str, Any]:
    return {"key": key, "status": refused.status, **refused.told()}


def basket_of(body: schemas.NewPurchase, member_id: int, source: str) -> Basket:
    """What was sent, as the service takes it."""
    points, minor = 0, 0
    if body.pay_with is not None:
        points = body.pay_with.points
        if body.pay_with.credit:
            minor = to_minor_or_refuse(body.pay_with.credit, get_programme().currency, "pay_with.credit")
    return Basket(
        member_id=member_id,
        source=source,
        key=body.key,
        at=body.at,
        currency=body.currency,
        lines=tuple(
            BasketLine(
                sku=line.sku,
                name=line.name,
                category=line.category,
                brand=line.brand,
                quantity=line.quantity,
                unit_price=line.unit_price,
                discount=line.discount,
            )
            for line in body.lines
        ),
        store=body.store,
        channel=body.channel,
        coupons=tuple(body.coupons),
        pay_points=points,
        pay_credit_minor=minor,
    )


def from_refusal(refusal: Refusal) -> Refused:
    """What a service does not take, as an answer."""
    status = _CONFLICTS.get(refusal.code, 422)
    return Refused(status, refusal.code, refusal.message, field=refusal.field or None, facts=refusal.facts)


def _told(receipt: Receipt, key: str, dry_run: bool = False) -> dict[str, Any]:
    currency = receipt.currency
    return {
        "purchase": None if dry_run else receipt.purchase_id,
        "key": key,
        "total": str(to_major(receipt.total_minor, currency)),
        "due": str(to_major(receipt.due_minor, currency)),
        "currency": currency,
        "earned": earned_told(receipt.earned),
        "points": {"spendable": receipt.spendable, "pending": receipt.pending},
        "tier": receipt.tier or None,
        "tier_changed": receipt.tier_changed,
        "cards": [
            {
                "code": one.code,
                "paid": str(to_major(one.paid_minor, currency)),
                "rest": str(to_major(one.rest_minor, currency)),
            }
            for one in receipt.cards
        ],
    }


def earned_told(earned: Iterable[Earned]) -> list[dict[str, Any]]:
    """What rules gave, and why."""
    return [
        {
            "rule": one.name,
            "points": one.amount if one.unit == Unit.POINTS else None,
            "credit": str(to_major(one.amount, get_programme().currency)) if one.unit == Unit.CREDIT else None,
            "why": one.why,
            "state": one.state,
            "available_from": rfc3339(one.available_from),
            "waits_for": one.waits_for or None,
        }
        for one in earned
    ]
