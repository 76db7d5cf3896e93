"""Why a purchase or an event gave what it gave: what fired with its arithmetic, and what did not with its reason."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext

from common.admin import found_or_404
from common.moments import format_moment
from common.money import format_money
from members.models import CustomEvent, Purchase
from members.queries import get_programme
from rewards.admin.rules.saying import amount_text, arithmetic, names_of
from rewards.earning import triggers, words
from rewards.enums import NEVER, TransferKind
from rewards.models import EarningRule, Evaluation, Transfer
from rewards.queries import explain


def why_page(kind: str, pk: int) -> dict[str, Any]:
    """The context of templates/admin/rules/why.html; `kind` is "purchase" or "event". Http404."""
    if kind == "purchase":
        cause: Any = found_or_404(Purchase.objects.select_related("member"), pk)
        told = gettext("Bought for %(amount)s") % {"amount": format_money(cause.amount_minor, cause.currency)}
        moment, earned = cause.purchased_at, Transfer.objects.filter(purchase=cause, kind=TransferKind.EARN)
    elif kind == "event":
        cause = found_or_404(CustomEvent.objects.select_related("member"), pk)
        told = triggers.label(triggers.of_event(cause.kind))
        moment, earned = cause.at, Transfer.objects.filter(key__in=_keys(cause))
    else:
        raise Http404
    evaluation = Evaluation.objects.filter(**{kind: cause}).first()
    home = get_programme().currency
    return {
        "cause": cause,
        "told": told,
        "moment": moment,
        "member": cause.member,
        "known": evaluation is not None,
        "tried": {"fired": _fired(earned, home), "silent": _silent(evaluation.trace if evaluation else [])},
    }


def _keys(event: CustomEvent) -> list[str]:
    """Under which keys rules gave something for an event."""
    return [f"earn:event:{event.pk}:{rule}" for rule in EarningRule.objects.values_list("pk", flat=True)]


def _fired(earned: QuerySet[Transfer], home: str) -> list[dict[str, Any]]:
    rows = earned.select_related("rule__rule", "credit", "lot").prefetch_related("reversals").order_by("id")
    return [
        {
            "rule": transfer.rule.rule if transfer.rule else None,
            "name": explain(transfer),
            "version": transfer.rule.number if transfer.rule else transfer.why.get("version"),
            "gives": amount_text(transfer.amount, transfer.credit.unit, home),
            "transfer": transfer.pk,
            "steps": steps(transfer, home),
            "notes": _notes(transfer, home),
        }
        for transfer in rows
    ]


def steps(transfer: Transfer, home: str) -> list[str]:
    """The arithmetic of an award; of one from before rules had versions, its sentence."""
    if "exact" not in transfer.why or transfer.rule is None:
        return [explain(transfer)]
    rounding = transfer.rule.definition.get("rounding", "down")
    return arithmetic(transfer.why, transfer.credit.unit, rounding, home)


def _notes(transfer: Transfer, home: str) -> list[str]:
    notes = []
    lot = getattr(transfer, "lot", None)
    if waits := transfer.why.get("waits"):
        notes.append(f"{words.waits_text(waits)}.")
    if lot and transfer.at < lot.available_from < NEVER:
        notes.append(gettext("Can be spent from %(moment)s.") % {"moment": format_moment(lot.available_from)})
    if lot and lot.expires_at:
        notes.append(gettext("Expires on %(moment)s.") % {"moment": format_moment(lot.expires_at)})
    if transfer.why.get("tier") is False:
        notes.append(gettext("Does not count for tiers."))
    if back := sum(one.amount for one in transfer.reversals.all()):
        notes.append(
            gettext("%(amount)s of it was taken back.") % {"amount": amount_text(back, transfer.credit.unit, home)}
        )
    return notes


def _silent(trace: list[dict[str, Any]]) -> list[dict[str, Any]]:
    silent = [one for one in trace if not one["fired"]]
    rules = EarningRule.objects.in_bulk([one["rule"] for one in silent])
    facts = [one["facts"] for one in silent]
    names = names_of({"conditions": {key: known.get(key, []) for key in ("tiers", "segments")}} for known in facts)
    return [
        {
            "rule": rules.get(one["rule"]),
            "version": one["version"],
            "reason": words.reason_sentence(one["reason"], one["facts"], names),
        }
        for one in silent
    ]
