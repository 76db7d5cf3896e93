"""The page on which a basket is tried: who, when, what, under which rules; then what each rule makes of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.translation import gettext, gettext_noop, ngettext
from django.utils.translation import gettext_lazy as _

from common.moments import format_moment
from common.money import format_money
from members.enums import AccessAction, SalesChannel
from members.models import PRESENT, Member
from members.queries import get_programme, search
from members.services.access import log_access
from rewards.admin.rules import choices
from rewards.admin.rules.saying import amount_text, arithmetic, names_of
from rewards.earning import words
from rewards.earning.facts import Award, Outcome
from rewards.earning.triggers import CUSTOM, PURCHASE
from rewards.models import EarningRule, RuleVersion
from rewards.services.earning.programme import AS_PUBLISHED, DRAFT, OUT, compose, in_use, usual_choice
from rewards.services.earning.simulation import Article, BadAmount, PointsDoNotPay, Simulated, simulate

LINES, MOST_LINES, MOST_FOUND = 3, 30, 20
_CELLS = ("sku", "category", "brand", "quantity", "price", "discount")


def _input(kind: str = "text", **attrs: Any) -> forms.TextInput:
    return forms.TextInput(attrs={"type": kind, "class": "desk-input", "autocomplete": "off", **attrs})


class TryForm(forms.Form):
    q = forms.CharField(
        label=_("Member"), required=False, max_length=200, help_text=_("Empty: somebody new."),
        widget=_input("search", placeholder=_("Name, phone, card number or e-mail")),
    )  # fmt: skip
    at = forms.DateTimeField(
        label=_("Moment"),
        required=False,
        help_text=_("Empty: now. In the programme's time."),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "class": "desk-input"}, format="%Y-%m-%dT%H:%M"),
    )
    trigger = forms.ChoiceField(
        label=_("What happens"), required=False, widget=forms.Select(attrs={"class": "desk-input"})
    )
    event_data = forms.CharField(
        label=_("Details of the event"), required=False, help_text=_("One a line: course = barista"),
        widget=forms.Textarea(attrs={"rows": 2, "class": "desk-input"}),
    )  # fmt: skip
    store = forms.CharField(label=_("Store"), required=False, max_length=80, widget=_input(list="rule-stores"))
    channel = forms.ChoiceField(
        label=_("Channel"),
        required=False,
        choices=SalesChannel.choices,
        widget=forms.Select(attrs={"class": "desk-input"}),
    )
    coupons = forms.CharField(label=_("Coupons"), required=False, max_length=200, widget=_input())
    pay_points = forms.IntegerField(
        label=_("Pays with points"), required=False, min_value=0, max_value=10**9, widget=_input("number")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        told = [pair for pair in choices.triggers() if pair[0] != CUSTOM]
        self.fields["trigger"].choices = told  # type: ignore[attr-defined]

    def details(self) -> dict[str, str]:
        pairs = (line.partition("=") for line in self.cleaned_data["event_data"].splitlines() if "=" in line)
        return {key.strip(): value.strip() for key, _equals, value in pairs}


class BadLine(Exception):
    """A line that is no number where one is asked for; `args[0]` is its number, from 1."""


def try_page(request: HttpRequest, *, at: datetime) -> dict[str, Any]:
    """The context of templates/admin/rules/try.html. With `go` it tries; only who was looked at is written."""
    asked = "go" in request.GET
    form = TryForm(request.GET if asked else None, initial={"trigger": PURCHASE, "channel": "store"})
    moment = (form.cleaned_data["at"] if form.is_valid() else None) or at
    rules = in_use(at=moment)
    chosen = chosen_rules(request.GET, rules)
    context: dict[str, Any] = {
        "form": form,
        "rules": [rule_choice(rule, chosen[rule.pk]) for rule in rules],
        "lines": _rows(request.GET),
        "lists": {name: choices.suggestions(name, "") for name in ("stores", "products", "categories", "brands")},
        "currency": get_programme().currency,
    }
    if not asked or not form.is_valid():
        return context
    given = form.cleaned_data
    member, found = _member(given["q"], request.GET.get("m", ""))
    if found is not None:
        return context | {"found": found}
    trigger = given["trigger"] or PURCHASE
    try:
        simulated = simulate(
            member_id=member.pk if member else None,
            rules=compose(chosen, trigger=trigger, at=moment),
            articles=_articles(request.GET) if trigger == PURCHASE else (),
            at=moment,
            store=given["store"],
            channel=given["channel"] or SalesChannel.STORE,
            coupons=[code for code in given["coupons"].replace(",", " ").split() if code],
            pay_points=given["pay_points"] or 0,
            trigger=trigger,
            data=form.details(),
        )
    except BadLine as bad:
        form.add_error(None, gettext("Line %(n)d: please check quantity, price and discount.") % {"n": bad.args[0]})
        return context
    except BadAmount as bad:
        text = gettext("Line %(n)d: the currency has no such amount, or the discount is more than the price.")
        form.add_error(None, text % {"n": bad.line + 1})
        return context
    except PointsDoNotPay:
        form.add_error(
            "pay_points", gettext("Points do not pay here: the reward settings do not say what one is worth.")
        )
        return context
    if member:
        log_access(
            actor_id=request.user.pk,
            action=AccessAction.VIEWED,
            what=gettext_noop("a basket tried"),
            member_id=member.pk,
            at=at,
        )
    return context | {"member": member, "moment": moment, "tried": _shown(simulated, trigger)}


# --- What was asked -------------------------------------------------------------------------------------------------
def chosen_rules(told: Mapping[str, str], rules: Sequence[Any]) -> dict[int, str]:
    return {rule.pk: told.get(f"rule-{rule.pk}") or usual_choice(rule) for rule in rules}


def rule_choice(rule: Any, chosen: str, published: str = "") -> dict[str, Any]:
    """A rule and which of its versions can be tried; `published` says what "as it counts" means there."""
    options = [(OUT, gettext("leave out"))]
    if rule.published:
        options.append((AS_PUBLISHED, published or gettext("as it counts at that moment")))
    if rule.draft:
        options.append((DRAFT, gettext("the draft, version %(n)d") % {"n": rule.draft.number}))
    return {"rule": rule, "name": f"rule-{rule.pk}", "options": options, "chosen": chosen}


def _rows(told: Any) -> list[dict[str, str]]:
    """The lines as they were typed, and some that are empty."""
    columns = {name: told.getlist(name) for name in _CELLS}
    typed = max((len(values) for values in columns.values()), default=0)
    rows = [
        {name: values[n] if n < len(values) else "" for name, values in columns.items()}
        for n in range(min(typed, MOST_LINES))
    ]
    rows = [row for row in rows if any(row[name] for name in _CELLS if name != "quantity")]
    empty = {**dict.fromkeys(_CELLS, ""), "quantity": "1"}
    return rows + [empty] * max(LINES - len(rows), 1)


def _articles(told: Any) -> list[Article]:
    found = []
    for n, row in enumerate(_rows(told), start=1):
        if not any(row[name] for name in _CELLS if name != "quantity"):
            continue
        try:
            quantity, price, discount = (
                Decimal((row[name] or default).replace(",", "."))
                for name, default in (("quantity", "1"), ("price", "0"), ("discount", "0"))
            )
            if not (0 < quantity < 10**6 and 0 <= price < 10**9 and 0 <= discount < 10**9):
                raise ValueError
        except (ArithmeticError, ValueError):
            raise BadLine(n) from None
        texts = {name: row[name].strip()[:80] for name in ("sku", "category", "brand")}
        found.append(Article(quantity, price, discount, **texts))
    return found


def _member(q: str, key: str) -> tuple[Member | None, list[Member] | None]:
    """Who is meant; or of whom one has to be chosen, none for nobody."""
    if key.isdecimal() and len(key) < 19 and (member := Member.objects.filter(PRESENT, pk=int(key)).first()):
        return member, None
    if not q.strip():
        return None, None
    found = list(search(q, Member.objects.filter(PRESENT)).order_by("name", "id")[:MOST_FOUND])
    return (found[0], None) if len(found) == 1 else (None, found)


# --- What came of it ------------------------------------------------------------------------------------------------
def _shown(simulated: Simulated, trigger: str) -> dict[str, Any]:
    currency = simulated.currency
    facts = []
    if trigger == PURCHASE:
        facts.append((gettext("Basket"), format_money(simulated.total_minor, currency), ""))
        if simulated.pays_points:
            small = gettext("%(points)s pay the rest") % {
                "points": amount_text(simulated.pays_points, "points", currency)
            }
            facts.append((gettext("Paid with money"), format_money(simulated.due_minor, currency), small))
    facts.append((gettext("Points"), number_format(simulated.points, force_grouping=True), ""))
    if simulated.credit_minor:
        facts.append((gettext("Store credit"), format_money(simulated.credit_minor, currency), ""))
    if simulated.tier_before:
        moved = simulated.tier_after != simulated.tier_before
        small = gettext("before: %(tier)s") % {"tier": simulated.tier_before} if moved else ""
        facts.append((gettext("Tier after it"), str(simulated.tier_after), small))
    return {
        "facts": facts,
        "coupons": [
            (one.code, one.ok, format_money(one.discount_minor, currency), [reason.sentence for reason in one.reasons])
            for one in simulated.coupons
        ],
        **outcome_shown(simulated.outcome, currency),
    }


def outcome_shown(outcome: Outcome, currency: str) -> dict[str, Any]:
    """What templates/admin/rules/outcome.html shows of an answer of the engine."""
    names = EarningRule.objects.in_bulk({one.rule.id for one in (*outcome.awards, *outcome.unfired)})
    drafts = set(
        RuleVersion.objects.filter(
            pk__in=[one.rule.version_id for one in (*outcome.awards, *outcome.unfired)], state="draft"
        ).values_list("pk", flat=True)
    )
    called = names_of([{"conditions": _asked(one.facts)} for one in outcome.unfired])
    return {
        "fired": [
            {
                "rule": names.get(award.rule.id),
                "version": award.rule.number,
                "draft": award.rule.version_id in drafts,
                "gives": amount_text(award.points, award.rule.definition.unit, currency)
                if award.offer is None
                else gettext("a coupon"),
                "steps": []
                if award.offer
                else arithmetic(award.why, award.rule.definition.unit, award.rule.definition.rounding, currency),
                "notes": _when(award),
            }
            for award in outcome.awards
        ],
        "silent": [
            {
                "rule": names.get(one.rule.id),
                "version": one.rule.number,
                "draft": one.rule.version_id in drafts,
                "reason": words.reason_sentence(one.reason, one.facts, called),
            }
            for one in outcome.unfired
        ],
    }


def _asked(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {"tiers": facts.get("tiers", []), "segments": facts.get("segments", [])}


def _when(award: Award) -> list[str]:
    notes = []
    if waits := award.why.get("waits"):
        notes.append(f"{words.waits_text(waits)}.")
    elif award.available_from:
        notes.append(gettext("Can be spent from %(moment)s.") % {"moment": format_moment(award.available_from)})
    if award.expires_at and not award.inactivity_months:
        notes.append(gettext("Expires on %(moment)s.") % {"moment": format_moment(award.expires_at)})
    elif award.inactivity_months:
        text = ngettext(
            "Expires %(n)d month after the last activity.",
            "Expires %(n)d months after the last activity.",
            award.inactivity_months,
        )
        notes.append(text % {"n": award.inactivity_months})
    if award.why.get("tier") is False:
        notes.append(gettext("Does not count for tiers."))
    return notes
