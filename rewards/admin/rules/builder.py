"""The editor of a rule: what the page begins with, and what it asks while somebody edits."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.moments import format_moment
from members.queries import get_programme
from rewards.admin.rules import choices
from rewards.admin.rules.beginnings import beginning_of
from rewards.admin.rules.forms import RuleForm, unit_of
from rewards.admin.rules.saying import amount_text, both_languages
from rewards.enums import RuleState, Unit, VersionState
from rewards.models import EarningRule
from rewards.services.earning.estimate import ESTIMATE_WEEKS, estimate_week
from rewards.services.earning.publishing import is_published

_WORDS = {
    "choose": _("Choose…"),
    "write": _("Type, then press Enter"),
    "nothing": _("Nothing found"),
    "take_away": _("Take away: %(what)s"),
    "offline": _("The server did not answer. What you entered is still here; the next change asks again."),
}


def script_words() -> dict[str, str]:
    return {key: str(text) for key, text in _WORDS.items()}


def script_settings(rule: EarningRule | None) -> dict[str, Any]:
    of = f"?rule={rule.pk}" if rule else ""
    return {
        "preview_url": reverse("admin:rewards_earningrule_preview") + of,
        "estimate_url": reverse("admin:rewards_earningrule_estimate") + of,
        "suggest_url": reverse("admin:rewards_earningrule_suggest"),
    }


def form_for(request: HttpRequest, rule: EarningRule | None, initial: dict[str, Any] | None = None) -> RuleForm:
    """The form with what was sent, if anything."""
    if initial is None and rule is not None:
        initial = beginning_of(rule, rule.versions.order_by("-number").first(), get_programme().currency)
    fixed = rule is not None and is_published(rule)
    return RuleForm(request.POST if request.method == "POST" else None, initial=initial or {}, fixed=fixed)


def _asked(request: HttpRequest) -> tuple[RuleForm, EarningRule | None]:
    pk = request.GET.get("rule", "")
    rule = EarningRule.objects.filter(pk=int(pk)).first() if pk.isdecimal() and len(pk) < 19 else None
    form = form_for(request, rule)
    form.fields["name_en"].required = False
    return form, rule


def preview(request: HttpRequest) -> HttpResponse:
    """In a blink: what the rule says, in all languages, and what is wrong with it."""
    form, _rule = _asked(request)
    if not form.is_valid():
        problems = [
            {"field": name, "sentence": _with_label(form, name, str(error))}
            for name, errors in form.errors.items()
            for error in errors
        ]
        return JsonResponse({"problems": problems, "sentences": []})
    return JsonResponse({"problems": [], "sentences": in_words(form)})


def _with_label(form: RuleForm, name: str, sentence: str) -> str:
    if name not in form.fields:
        return sentence
    return gettext("%(label)s: %(problem)s") % {"label": form.fields[name].label, "problem": sentence}


def in_words(form: RuleForm) -> list[dict[str, str]]:
    given = form.cleaned_data
    return both_languages(form.definition, form.trigger_of(given), unit_of(given["gives"]))


def estimate(request: HttpRequest) -> HttpResponse:
    """About how much a week, from what was really bought lately."""
    form, rule = _asked(request)
    if not form.is_valid():
        return JsonResponse({"headline": "–", "basis": ""})
    return JsonResponse(estimated(form, rule))


def estimated(form: RuleForm, rule: EarningRule | None) -> dict[str, str]:
    """The estimate for a valid form, in words."""
    given = form.cleaned_data
    return estimate_words(form.definition, form.trigger_of(given), unit_of(given["gives"]), rule)


def estimate_words(
    definition: dict[str, Any], trigger: str, unit: str, rule: EarningRule | None = None
) -> dict[str, str]:
    at = now()
    if definition["effect"]["kind"] == "coupon":
        return {"headline": "–", "basis": gettext("What a coupon costs shows when it is used.")}
    if trigger != "purchase":
        return {
            "headline": "–",
            "basis": gettext("Depends on how often it happens: a basket of purchases cannot tell."),
        }
    found = estimate_week(definition=definition, trigger=trigger, unit=unit, at=at, rule_id=rule.pk if rule else None)
    if not found.purchases:
        text = gettext("Not enough data: nothing was bought in the last %(n)d weeks.")
        return {"headline": "–", "basis": text % {"n": ESTIMATE_WEEKS}}
    amount = _roughly(found.amount)
    text = gettext("about %(amount)s a week") % {"amount": amount_text(amount, unit, get_programme().currency)}
    basis = gettext("From what was bought in the last %(weeks)d weeks: %(percent)s of the purchases get something.")
    if found.sampled:
        basis = gettext(
            "From a sample of what was bought in the last %(weeks)d weeks: %(percent)s of the purchases get something."
        )
    share = 100 * found.fired / found.purchases
    percent = gettext("%(n)s%%") % {"n": "< 1" if 0 < share < 1 else f"{share:.0f}"}
    notes = [basis % {"weeks": ESTIMATE_WEEKS, "percent": percent}]
    if unit == Unit.POINTS and found.cost_minor is not None:
        cost = amount_text(_roughly(found.cost_minor), Unit.CREDIT, get_programme().currency)
        notes.append(gettext("That costs about %(money)s.") % {"money": cost})
    return {"headline": text, "basis": " ".join(notes)}


def _roughly(amount: int) -> int:
    """Two figures that count: 1,873 → 1,900."""
    step = 10 ** max(len(str(amount)) - 2, 0)
    return round(amount / step) * step


def suggest(request: HttpRequest) -> HttpResponse:
    """Words that stand in purchases, for a field of the editor."""
    field, text = (request.GET.get(key, "")[:200] for key in ("trait", "q"))
    return JsonResponse(choices.suggestions(field, text), safe=False)


def what_saving_does(rule: EarningRule | None) -> list[str]:
    """The sentences above the button."""
    if rule is None:
        return [gettext("Makes a draft. Nothing is given until it is published.")]
    at = now()
    versions = list(rule.versions.all())
    published = [one for one in versions if one.state == VersionState.PUBLISHED]
    if not published:
        return [gettext("Changes the draft. Nothing is given until it is published.")]
    lines = [gettext("Makes or changes the draft of the next version. What counts now stays until it is published.")]
    coming = [one for one in published if one.valid_from and one.valid_from > at and one.valid_until != one.valid_from]
    lines += [
        gettext("Version %(n)d is to begin on %(moment)s.") % {"n": one.number, "moment": format_moment(one.valid_from)}
        for one in coming
    ]
    if rule.state in (RuleState.LIVE, RuleState.PAUSED):
        lines.append(gettext("Names, the member's sentence and the budget count at once."))
    return lines
