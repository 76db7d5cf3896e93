"""What is said of an award, from what its transfer keeps."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from fractions import Fraction
from functools import lru_cache
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import get_language, gettext

from common.moments import format_day
from common.money import format_money
from common.sql import fetch_all
from rewards.models import Transfer


def kind_words(kind: str) -> str:
    """The kind of a custom event, as people read it."""
    return re.sub(r"[._-]+", " ", kind)


def untold_text(waits: Mapping[str, Any]) -> str:
    """Why what waited for an event (its award's `waits`) was taken back."""
    words = {"kind": kind_words(waits["for"]), "day": format_day(datetime.fromisoformat(waits["until"]))}
    return gettext("“%(kind)s” did not happen by %(day)s") % words


def award_sentence(transfer: Transfer) -> str:
    """Why these points or this credit came, in one sentence in the active language. Transfers come with their
    rule__rule where there are many."""
    name = transfer.rule.rule.name if transfer.rule else ""
    return award_words(transfer.why, name or str(transfer.get_kind_display()))


def award_words(why: dict[str, Any], rule: str, language: str | None = None) -> str:
    """As award_sentence, from what an award keeps and its rule's name; `language` is the active one, where known."""
    if "effect" not in why:  # before rules had versions
        return _bought(why["amount_minor"], why["currency"], str(why.get("multiplier", 1)))
    effect, paid = why["effect"], sum([basis for _line, basis, _exact in why["lines"]])
    percent, cut = effect.get("percent"), bool(why["cut"])
    language = language or get_language()
    return _sentence(language, effect["kind"], rule, paid, why["currency"], why["factor"], percent, cut)


@lru_cache(maxsize=10_000)  # a shop's prices are the same ones again and again
def _sentence(
    language: str | None, kind: str, rule: str, paid: int, currency: str, factor: str, percent: Any, cut: bool
) -> str:
    """In `language`, which is the active one."""
    match kind:
        case "per_amount":
            told = f"{_bought(paid, currency, factor)} · {rule}"  # more than one may count the same amount
        case "cashback":
            words = {"percent": percent, "amount": format_money(paid, currency)}
            told = f"{gettext('%(percent)s%% of %(amount)s back') % words} · {rule}"
        case "multiplier":
            told = gettext("%(rule)s: points × %(factor)s") % {"rule": rule, "factor": _factor(factor)}
        case _:
            told = rule
    if cut:
        return gettext("%(sentence)s, up to the limit") % {"sentence": told}
    return told


def _bought(amount_minor: int, currency: str, factor: str) -> str:
    words: dict[str, Any] = {"amount": format_money(amount_minor, currency)}
    if Fraction(factor) == 1:
        return gettext("Bought for %(amount)s") % words
    words["multiplier"] = _factor(factor)
    return gettext("Bought for %(amount)s, points × %(multiplier)s") % words


def _factor(factor: str) -> str:
    return number_format(f"{float(Fraction(factor)):.4f}".rstrip("0").rstrip("."), use_l10n=True)


_LAST = """
SELECT last.id FROM unnest(%s::bigint[]) AS member (id) CROSS JOIN LATERAL (
    SELECT earn.id FROM rewards_account AS wallet
    JOIN rewards_transfer AS earn ON earn.credit_id = wallet.id AND earn.kind = 'earn'
    WHERE wallet.member_id = member.id AND wallet.kind = 'wallet' ORDER BY earn.at DESC, earn.id DESC LIMIT 1
) AS last
"""


def last_awards(member_ids: Iterable[int]) -> dict[int, Transfer]:
    """What each member earned last, in points or credit, by member. Two queries."""
    ids = [row[0] for row in fetch_all(_LAST, [list(member_ids)])]
    found = Transfer.objects.filter(pk__in=ids).select_related("rule__rule", "credit")
    return {transfer.credit.member_id or 0: transfer for transfer in found}


_NET = """
SELECT coalesce(sum(earn.amount - coalesce(back.amount, 0)), 0)::bigint
FROM rewards_ruleversion AS version
JOIN rewards_transfer AS earn ON earn.rule_id = version.id AND earn.kind = 'earn'
LEFT JOIN LATERAL (
    SELECT sum(amount) AS amount FROM rewards_transfer AS taken
    WHERE taken.reverses_id = earn.id AND taken.kind = 'reverse'
) AS back ON true
WHERE version.rule_id = %s
"""


def net_given(rule_id: int) -> int:
    """What a rule gave in all, less what was taken back: what its budget has spent."""
    return fetch_all(_NET, [rule_id])[0][0]
