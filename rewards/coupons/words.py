"""Offers and refusals in words, in the active language and time zone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from django.utils.dates import WEEKDAYS
from django.utils.formats import date_format, number_format, time_format
from django.utils.timezone import localtime
from django.utils.translation import gettext, ngettext, pgettext

from common.moments import format_end, format_moment
from common.money import format_money
from members.enums import SalesChannel
from rewards.coupons.definition import Definition, Items
from rewards.enums import OfferKind

if TYPE_CHECKING:
    from rewards.models import Offer


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a coupon cannot be used: a code for machines, `facts` as JSON holds them, a sentence for people."""

    code: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        return reason_sentence(self.code, self.facts)


def _list(words: tuple[str, ...] | list[str]) -> str:
    """ "drinks, cakes or tea"; long lists are cut short."""
    shown = list(words[:6]) + (["…"] if len(words) > 6 else [])
    if len(shown) < 2:
        return "".join(shown)
    joined = pgettext("between the words of a list", ", ").join(shown[:-1])
    return gettext("%(words)s or %(last)s") % {"words": joined, "last": shown[-1]}


def items_words(items: Items) -> str:
    """ "Drinks, Acme or ESP-1"."""
    return _list([*items.categories, *items.brands, *items.products])


def percent_words(percent: Fraction) -> str:
    number = number_format(float(percent), use_l10n=True) if percent.denominator > 1 else str(percent.numerator)
    return gettext("%(n)s%%") % {"n": number}


def effect_words(offer: Definition) -> str:
    """What it gives: "20% off drinks, at most €15.00"."""
    items = items_words(offer.items)
    words: dict[str, Any] = {"items": items}
    match offer.kind:
        case OfferKind.PERCENT:
            words["off"] = percent_words(offer.percent)
            if offer.most_minor is not None:
                words["most"] = format_money(offer.most_minor, offer.currency)
                if items:
                    return gettext("%(off)s off %(items)s, at most %(most)s") % words
                return gettext("%(off)s off, at most %(most)s") % words
            return gettext("%(off)s off %(items)s") % words if items else gettext("%(off)s off") % words
        case OfferKind.AMOUNT:
            words["off"] = format_money(offer.amount_minor, offer.currency)
            return gettext("%(off)s off %(items)s") % words if items else gettext("%(off)s off") % words
        case OfferKind.CARD:
            return gettext("Gift card of %(amount)s") % {"amount": format_money(offer.amount_minor, offer.currency)}
        case OfferKind.FREE_ITEM:
            words["n"] = offer.free
            return ngettext("%(n)d × %(items)s free", "%(n)d × %(items)s free", offer.free) % words
        case OfferKind.BUY_X_GET_Y:
            return _buy_get_words(offer, items)
        case _:
            return gettext("Free shipping")


def rest_words(rest_minor: int, currency: str) -> str:
    """What is on a gift card: "Gift card: €6.00 left"."""
    return gettext("Gift card: %(amount)s left") % {"amount": format_money(rest_minor, currency)}


def _buy_get_words(offer: Definition, items: str) -> str:
    words = {
        "buy": offer.buy,
        "get": offer.get,
        "items": items or gettext("articles"),
        "given": items_words(offer.get_items),
        "percent": percent_words(offer.get_percent),
    }
    if offer.get_percent == 100:
        if offer.get_items:
            return gettext("Buy %(buy)d × %(items)s, get %(get)d × %(given)s free") % words
        return gettext("Buy %(buy)d × %(items)s, get the %(get)d cheapest besides free") % words
    if offer.get_items:
        return gettext("Buy %(buy)d × %(items)s, get %(get)d × %(given)s at %(percent)s off") % words
    return gettext("Buy %(buy)d × %(items)s, get the %(get)d cheapest besides at %(percent)s off") % words


def _clock(moment: time) -> str:
    return time_format(moment, "H:i")


def hours_words(offer: Definition) -> str:
    """ "On Monday or Friday, from 14:00 to 17:00"; "" for any time."""
    days = _list([str(WEEKDAYS[day]) for day in offer.weekdays])
    spans = [gettext("%(start)s to %(end)s") % {"start": _clock(a), "end": _clock(b)} for a, b in offer.hours]
    words = {"days": days, "hours": _list(spans)}
    if days and spans:
        return gettext("on %(days)s, from %(hours)s") % words
    if days:
        return gettext("on %(days)s") % words
    return gettext("from %(hours)s") % words if spans else ""


def _channels(channels: tuple[str, ...]) -> str:
    return _list([str(SalesChannel(channel).label) for channel in channels])


def condition_words(offer: Definition) -> list[str]:
    """On which terms, one sentence each."""
    said = []
    if offer.minimum_minor:
        words = {"amount": format_money(offer.minimum_minor, offer.currency)}
        if offer.minimum_on_items:
            said.append(gettext("From %(amount)s for these articles.") % words)
        else:
            said.append(gettext("For purchases from %(amount)s.") % words)
    if offer.times:
        text = ngettext("%(n)d time in a purchase at most.", "%(n)d times in a purchase at most.", offer.times)
        said.append(text % {"n": offer.times})
    if offer.exclude:
        said.append(gettext("Not for %(items)s.") % {"items": items_words(offer.exclude)})
    if offer.stores:
        said.append(gettext("Only at %(stores)s.") % {"stores": _list(offer.stores)})
    if offer.channels:
        said.append(gettext("Only for what is bought so: %(channels)s.") % {"channels": _channels(offer.channels)})
    if when := hours_words(offer):
        said.append(gettext("Only %(when)s.") % {"when": when})
    return said


def offer_words(offer: "Offer", definition: Definition) -> list[str]:
    """All that an offer does, one sentence each, the first what it gives."""
    said = [gettext("%(effect)s.") % {"effect": effect_words(definition)}, *condition_words(definition)]
    window = {"from": format_moment(offer.starts_at), "until": format_end(offer.ends_at)}
    if offer.starts_at and offer.ends_at:
        said.append(gettext("From %(from)s until %(until)s.") % window)
    elif offer.starts_at:
        said.append(gettext("From %(from)s.") % window)
    elif offer.ends_at:
        said.append(gettext("Until %(until)s.") % window)
    if offer.shared_code:
        said.append(gettext("One code for everybody: %(code)s.") % {"code": offer.shared_code})
        if offer.uses_member:
            text = ngettext("%(n)d time for each member.", "%(n)d times for each member.", offer.uses_member)
            said.append(text % {"n": offer.uses_member})
        else:
            said.append(gettext("As often as a member likes."))
    else:
        if definition.kind is OfferKind.CARD:
            said.append(gettext("Whoever has the code pays with it, as often as they like, until nothing is left."))
        else:
            said.append(gettext("Each member has codes of their own, each good once."))
        if offer.valid_days:
            text = ngettext(
                "A coupon is valid for %(n)d day from when it is issued.",
                "A coupon is valid for %(n)d days from when it is issued.",
                offer.valid_days,
            )
            said.append(text % {"n": offer.valid_days})
        if definition.bearer:
            said.append(gettext("Codes in stock are good for whoever brings them."))
    if offer.uses_limit:
        text = ngettext(
            "Only the first use counts, then it is over.", "The first %(n)s uses, then it is over.", offer.uses_limit
        )
        said.append(text % {"n": number_format(offer.uses_limit, use_l10n=True, force_grouping=True)})
    if offer.segment:
        said.append(gettext("Only for the segment “%(segment)s”.") % {"segment": offer.segment})
    if definition.kind is OfferKind.CARD:
        return said
    if offer.stackable:
        said.append(gettext("It goes with other coupons that do."))
    else:
        said.append(gettext("It does not go with other coupons."))
    return said


def _moment(told: str) -> str:
    return date_format(localtime(datetime.fromisoformat(told)), "DATETIME_FORMAT")


def reason_sentence(code: str, facts: Mapping[str, Any]) -> str:
    """Why a coupon cannot be used, as something that a person can act on."""
    match code:
        case "unknown":
            return gettext("There is no such coupon. Please check the code.")
        case "void":
            return gettext("This coupon was withdrawn.")
        case "used":
            if facts.get("at"):
                return gettext("This coupon was used on %(when)s.") % {"when": _moment(facts["at"])}
            return gettext("This coupon was used already.")
        case "reserved":
            return gettext("This coupon is being used in another purchase just now.")
        case "released":
            return gettext("This use of the coupon was undone.")
        case "expired":
            return gettext("This coupon was valid until %(when)s.") % {"when": _moment(facts["at"])}
        case "ended":
            return gettext("This offer is over.")
        case "paused":
            return gettext("This offer is not running just now.")
        case "not_yet":
            return gettext("This coupon is valid from %(when)s.") % {"when": _moment(facts["at"])}
        case "not_issued":
            return gettext("This coupon has not been issued to anybody.")
        case "other_member":
            return gettext("This coupon belongs to another member.")
        case "needs_member":
            return gettext("This coupon is for members: please scan the card first.")
        case "not_in_segment":
            return gettext("This offer is not for this member.")
        case "limit_reached":
            return gettext("All of these coupons have been used.")
        case "member_limit_reached":
            text = ngettext(
                "The member has used this %(n)d time, which is the limit.",
                "The member has used this %(n)d times, which is the limit.",
                facts["limit"],
            )
            return text % {"n": facts["limit"]}
        case "minimum_not_met":
            return gettext("%(missing)s more is needed: it is for purchases from %(minimum)s.") % {
                "missing": format_money(facts["missing_minor"], facts["currency"]),
                "minimum": format_money(facts["minimum_minor"], facts["currency"]),
            }
        case "wrong_currency":
            return gettext("It is for purchases in %(currency)s.") % {"currency": facts["currency"]}
        case "wrong_store":
            return gettext("It is only for %(stores)s.") % {"stores": _list(facts["stores"])}
        case "wrong_channel":
            return gettext("It is only for what is bought so: %(channels)s.") % {
                "channels": _channels(tuple(facts["channels"]))
            }
        case "wrong_time":
            return gettext("It holds only %(when)s.") % {"when": facts["when"]}
        case "no_matching_items":
            if facts.get("items"):
                return gettext("Nothing in the basket is of what it is for: %(items)s.") % {"items": facts["items"]}
            return gettext("Nothing in the basket is of what it is for.")
        case "too_few_items" if facts.get("get"):
            return gettext("The article to be had is missing in the basket.")
        case "too_few_items":
            text = ngettext("%(n)d more article is needed.", "%(n)d more articles are needed.", facts["missing"])
            return text % {"n": facts["missing"]}
        case "nothing_left":
            return gettext("The other coupons leave nothing for this one.")
        case "card_empty":
            return gettext("Nothing is left on this gift card.")
        case "card_in_purchase":
            return gettext("A gift card pays for a purchase: record the purchase with its code.")
        case "not_with_others":
            return gettext("“%(offer)s” does not go with other coupons.") % {"offer": facts["offer"]}
        case _:
            return gettext("This coupon cannot be used.")
