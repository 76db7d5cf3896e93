"""What a reward is, in words: its price, and all the terms on which it can be had."""

from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext

from common.moments import format_moment
from common.money import format_money
from members.rules import country_name
from rewards.enums import OfferKind, RewardKind
from rewards.models import Redemption, Reward
from rewards.queries import points_text


def price_words(points: int, money_minor: int, currency: str) -> str:
    """ "250 points + €5.00"; "free" where it costs nothing."""
    parts = [points_text(points)] if points else []
    if money_minor:
        parts.append(format_money(money_minor, currency))
    return " + ".join(parts) or gettext("free")


def summary(reward: Reward, currency: str) -> list[str]:
    """Sentences that say who can have it, for what, when, how often, and what they get."""
    price = price_words(reward.points, reward.money_minor, currency)
    sentences = [gettext("%(kind)s for %(price)s.") % {"kind": reward.get_kind_display(), "price": price}]
    sentences += [
        gettext("%(tier)s pays %(price)s.")
        % {"tier": other.tier.name, "price": price_words(other.points, other.money_minor, currency)}
        for other in reward.prices.all()
    ]
    sentences += [_gets(reward, currency), *_limits(reward), *_gates(reward)]
    return [sentence for sentence in sentences if sentence]


def _gets(reward: Reward, currency: str) -> str:
    match reward.kind:
        case RewardKind.GOODS if reward.ships:
            return gettext("It is sent to the member's address.")
        case RewardKind.GOODS if reward.valid_days:
            text = ngettext(
                "It is collected in the store with a code, within %(n)d day.",
                "It is collected in the store with a code, within %(n)d days.",
                reward.valid_days,
            )
            return text % {"n": reward.valid_days}
        case RewardKind.GOODS:
            return gettext("It is collected in the store with a code.")
        case RewardKind.CREDIT:
            amount = format_money(reward.credit_minor or 0, currency)
            return gettext("%(amount)s of store credit come at once.") % {"amount": amount}
        case RewardKind.GIFT_CARD if reward.offer is not None and reward.offer.kind == OfferKind.CARD:
            text = gettext(
                "A gift card of “%(offer)s” comes at once: it keeps its rest, and whoever has its code may use it."
            )
            return text % {"offer": reward.offer.name}
        case RewardKind.GIFT_CARD if reward.offer is not None:
            text = gettext(
                "A code of “%(offer)s” comes at once. It is good once and for this member alone: for a card that keeps"
                " its rest, choose an offer “Gift card with a balance”."
            )
            return text % {"offer": reward.offer.name}
        case RewardKind.COUPON | RewardKind.GIFT_CARD | RewardKind.TRIAL if reward.offer is not None:
            return gettext("A code of “%(offer)s” comes at once.") % {"offer": reward.offer.name}
        case RewardKind.EXPERIENCE:
            return gettext("The member chooses a date and gets a ticket with a code.")
        case _:
            return ""


def _limits(reward: Reward) -> list[str]:
    sentences = []
    if reward.stock is not None:
        left = ngettext("%(n)s piece is left.", "%(n)s pieces are left.", reward.stock)
        sentences.append(left % {"n": number_format(reward.stock, force_grouping=True)})
    if reward.limit_member is not None:
        text = ngettext(
            "Each member can have it %(n)d time.", "Each member can have it %(n)d times.", reward.limit_member
        )
        sentences.append(text % {"n": reward.limit_member})
    if reward.limit_total is not None:
        text = ngettext("It can be had %(n)s time in all.", "It can be had %(n)s times in all.", reward.limit_total)
        sentences.append(text % {"n": number_format(reward.limit_total, force_grouping=True)})
    return sentences


def _gates(reward: Reward) -> list[str]:
    sentences = []
    if tiers := ", ".join(tier.name for tier in reward.tiers.all()):
        sentences.append(gettext("Only %(tiers)s can have it.") % {"tiers": tiers})
    if reward.segment is not None:
        text = gettext("Only members in the segment “%(name)s” see it.")
        sentences.append(text % {"name": reward.segment.name})
    seen = _window(reward.visible_from, reward.visible_until)
    if seen:
        sentences.append(gettext("It is shown %(window)s.") % {"window": seen})
    had = _window(reward.redeemable_from, reward.redeemable_until)
    if had:
        sentences.append(gettext("It can be had %(window)s.") % {"window": had})
    return sentences


def _window(start, end) -> str:
    words = {"start": format_moment(start), "end": format_moment(end)}
    if start and end:
        return gettext("from %(start)s until %(end)s") % words
    if start:
        return gettext("from %(start)s") % words
    return gettext("until %(end)s") % words if end else ""


def address_words(redemption: Redemption) -> list[str]:
    """Where it is sent, line by line, in the order of a letter: the database keeps the parts in none."""
    parts = redemption.address
    order = ("name", "street", "postal_code", "city", "country")
    known = [name for name in order if name in parts] + sorted(set(parts) - set(order))
    return [country_name(str(parts[name])) if name == "country" else str(parts[name]) for name in known]


def paid_words(redemption: Redemption, currency: str) -> str:
    """What a redemption cost, as it was then."""
    return price_words(redemption.points, redemption.money_minor, currency)
