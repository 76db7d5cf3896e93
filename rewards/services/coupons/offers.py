"""Offers made and changed by staff."""

from typing import Any

from django.db import transaction
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from members.queries import get_programme
from rewards.codes import MOST, compact
from rewards.coupons.definition import BadOffer, Problem, parse
from rewards.enums import OfferKind, OfferState
from rewards.models import Coupon, CouponUse, Offer
from rewards.services.coupons.finding import LIVE_USES

# From → to. What has ended stays so: what members were told is over is over.
_STEPS = {
    OfferState.DRAFT: (OfferState.LIVE, OfferState.ENDED),
    OfferState.LIVE: (OfferState.PAUSED, OfferState.ENDED),
    OfferState.PAUSED: (OfferState.LIVE, OfferState.ENDED),
    OfferState.ENDED: (),
}


class WrongState(Exception):
    """An offer cannot go from its state to that one."""


@transaction.atomic
def save_offer(*, offer_id: int | None = None, **values: Any) -> Offer:
    """Makes an offer, or changes one: what is not told stays. BadOffer with all that is wrong, by field of the model
    ("shared_code") or place in the definition.

    Coupons that were issued keep their end; all else holds for them as it is now.
    """
    # The lock waits for uses that are on their way, so that they are all counted below.
    offer = Offer.objects.select_for_update().get(pk=offer_id) if offer_id else Offer()
    was_shared = bool(offer.shared_code)
    for name, value in values.items():
        setattr(offer, name, value)
    problems = _problems(offer, was_shared)
    try:
        parse(offer.definition, offer.kind)
    except BadOffer as bad:
        problems += bad.problems
    uses = CouponUse.objects.filter(offer=offer.pk, state__in=LIVE_USES).count() if offer.pk else 0
    if offer.uses_limit is not None and uses > offer.uses_limit:
        problems.append(Problem("uses_limit", _("It has been used %(n)d times already.") % {"n": uses}))
    if problems:
        raise BadOffer(problems)
    offer.uses = uses if offer.uses_limit is not None else 0
    offer.save()
    return offer


def _problems(offer: Offer, was_shared: bool) -> list[Problem]:
    problems = []
    offer.shared_code = compact(offer.shared_code or "") or None
    if offer.shared_code:
        others = Offer.objects.exclude(pk=offer.pk).annotate(upper=Upper("shared_code"))
        if len(offer.shared_code) > MOST:
            problems.append(Problem("shared_code", _("A code has %(n)d characters at most.") % {"n": MOST}))
        elif not offer.shared_code.isalnum() or not offer.shared_code.isascii():
            problems.append(Problem("shared_code", _("Please use letters from A to Z and digits.")))
        elif len(offer.shared_code) < 4:
            problems.append(Problem("shared_code", _("Please use at least four characters.")))
        elif others.filter(upper=offer.shared_code).exists():
            problems.append(Problem("shared_code", _("Another offer has this code.")))
        elif Coupon.objects.filter(code=offer.shared_code).exists():
            problems.append(Problem("shared_code", _("A coupon has this code.")))
    if offer.kind == OfferKind.CARD:
        if offer.shared_code:
            problems.append(Problem("shared_code", _("Each gift card has a code of its own.")))
        if offer.definition.get("currency") != get_programme().currency:
            problems.append(Problem("currency", _("A gift card is in the programme's currency.")))
    if offer.pk and Offer.objects.exclude(kind=offer.kind).filter(pk=offer.pk).exists():
        changed = OfferKind.CARD in (offer.kind, Offer.objects.values_list("kind", flat=True).get(pk=offer.pk))
        if changed and Coupon.objects.filter(offer=offer.pk).exists():
            problems.append(Problem("kind", _("Codes were made already: a gift card is another offer.")))
    if offer.pk and bool(offer.shared_code) != was_shared:
        if offer.shared_code and Coupon.objects.filter(offer=offer.pk).exists():
            problems.append(Problem("shared_code", _("Codes of their own were made for this offer already.")))
        elif was_shared and CouponUse.objects.filter(offer=offer.pk).exists():
            problems.append(Problem("shared_code", _("It was used with its code already.")))
    if offer.starts_at and offer.ends_at and offer.ends_at <= offer.starts_at:
        problems.append(Problem("ends_at", _("It must end after it begins.")))
    if offer.flash and not offer.ends_at:
        problems.append(Problem("ends_at", _("A flash offer needs an end.")))
    if offer.valid_days == 0 or offer.uses_limit == 0 or offer.uses_member == 0:
        problems.append(Problem("uses_limit", _("Please give a number above 0, or none.")))
    return problems


@transaction.atomic
def set_state(*, offer_id: int, state: OfferState | str) -> Offer:
    """Puts an offer live, pauses or ends it; nothing where it is so. WrongState."""
    offer = Offer.objects.select_for_update().get(pk=offer_id)
    state = OfferState(state)
    if offer.state == state:
        return offer
    if state not in _STEPS[OfferState(offer.state)]:
        raise WrongState(offer.state, state)
    offer.state = state
    offer.save(update_fields=["state"])
    return offer
