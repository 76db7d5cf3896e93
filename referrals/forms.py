"""A referral programme as marketers fill it in: fields on one side, its definition on the other."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.db.models import Model
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from common.money import format_money, to_major, to_minor
from members.enums import Language
from members.queries import get_programme
from referrals.definition import TEXTS, BadProgramme, parse
from referrals.enums import Period, Qualifies, Touch, Verdict
from referrals.models import Programme
from referrals.queries import known
from rewards.enums import OfferState
from rewards.models import MembershipPlan, Offer, Tier

# Whose thanks, as the definition calls them.
WHOSE = {
    "giver": _("Who brings somebody"),
    "friend": _("The friend, once they are a customer"),
    "welcome": _("The friend, at once"),
    "second": _("Who brought the one who brings"),
}
STEPS = 4  # milestones that the form has room for
_TEXT_WORDS = {
    "headline": _("Headline"),
    "text": _("What members read who bring friends"),
    "welcome": _("What the friend reads who comes"),
    "share": _("Ready text to share"),
    "terms": _("Terms"),
}
_LANGUAGE_WORDS = {"en": _("in English"), "zh-hans": _("in Chinese")}


def _whole(label: Any, low: int = 0, high: int = 10_000_000, **kwargs: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, min_value=low, max_value=high, required=False, widget=UnfoldAdminIntegerFieldWidget, **kwargs
    )


def _money(label: Any, **kwargs: Any) -> forms.DecimalField:
    return forms.DecimalField(
        label=label, min_value=0, max_digits=14, required=False, widget=UnfoldAdminDecimalFieldWidget, **kwargs
    )


def _choice(label: Any, choices: Any) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=choices, required=False, widget=UnfoldAdminSelectWidget)


def _one(label: Any, rows: Any) -> forms.TypedChoiceField:
    def choices() -> Iterator[tuple[Any, str]]:
        yield "", "–"
        for row in rows():
            yield row.pk, str(row)

    return forms.TypedChoiceField(
        label=label, choices=choices, coerce=int, empty_value=None, required=False, widget=UnfoldAdminSelectWidget
    )


def _offers() -> Iterator[Model]:
    yield from Offer.objects.exclude(state=OfferState.ENDED)


def thanks_fields(name: str) -> dict[str, forms.Field]:
    """The fields of one thanks, by their names."""
    fields: dict[str, forms.Field] = {
        f"{name}_points": _whole(_("Points")),
        f"{name}_points_days": _whole(_("that can be spent for so many days"), 1, 3_650, help_text=_("Empty: always.")),
        f"{name}_credit": _money(_("Store credit")),
        f"{name}_offer": _one(_("Coupon of the offer"), _offers),
    }
    if name in WHOSE:
        fields |= {
            f"{name}_tier": _one(_("Tier"), lambda: Tier.objects.all()),
            f"{name}_tier_days": _whole(_("for so many days"), 1, 3_650),
            f"{name}_plan": _one(_("Membership with its benefits"), lambda: MembershipPlan.objects.filter(active=True)),
        }
    return fields


class ProgrammeForm(forms.ModelForm):
    """`definition()` is what the services take; what is wrong in it stands beside its field."""

    budget = _money(_("Budget"), help_text=_("For all members and all times. Empty: as much as it takes."))
    qualifies_by = _choice(_("What the friend has to do"), Qualifies.choices)
    least = _money(_("for at least"), help_text=_("In money, after discounts, without points and credit paid with."))
    count = _whole(_("so many times"), 1, 1_000)
    event = forms.CharField(
        label=_("Event"), max_length=60, required=False, widget=UnfoldAdminTextInputWidget,
        help_text=_("As the other system calls it."),
    )  # fmt: skip
    window_days = _whole(_("within so many days of joining"), 1, 3_650)
    hold_days = _whole(_("Thanks wait so many days"), 0, 365, help_text=_("Until nothing can be given back any more."))
    claim_days = _whole(_("Can be told so many days after joining"), 0, 365)
    cookie_days = _whole(_("A link is remembered for so many days"), 1, 365)
    touch = _choice(_("Of several links counts"), Touch.choices)
    invites_per_day = _whole(_("Invitations by mail, per member and day"), 0, 100)
    review_from = _whole(_("Looked at by a person from a doubt of"), 1, 100, help_text=_("0 to 100."))
    review_days = _whole(_("decided by itself after so many days"), 1, 90)
    review_then = _choice(_("then"), Verdict.choices)

    class Meta:
        model = Programme
        fields = ("name", "position", "starts_at", "ends_at", "segment", "tiers")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in WHOSE:
            self.fields |= thanks_fields(name)
        for n in range(STEPS):
            self.fields[f"step{n}_friends"] = _whole(_("For so many friends"), 1, 100_000)
            self.fields |= thanks_fields(f"step{n}")
        for period in Period:
            self.fields[f"limit_{period}"] = _whole(period.label, 1, 100_000)
        for name in TEXTS:
            for language in Language.values:
                self.fields[f"text_{name}_{language}"] = forms.CharField(
                    label=f"{_TEXT_WORDS[name]} ({_LANGUAGE_WORDS.get(language, language)})",
                    required=False,
                    widget=UnfoldAdminTextInputWidget if name == "headline" else UnfoldAdminTextareaWidget,
                    help_text=_("{name}, {gift} and {link} are filled in.") if name == "share" else "",
                )
        if not self.is_bound:
            self.initial.update(self._read(self.instance.draft or {}))

    def _read(self, raw: dict[str, Any]) -> dict[str, Any]:
        """What the fields show of a definition, as it was written; what is missing as it is read."""
        asked, review = raw.get("qualifies", {}), raw.get("review", {})
        values: dict[str, Any] = {
            "qualifies_by": asked.get("by", Qualifies.PURCHASE),
            "least": asked.get("least"),
            "count": asked.get("count"),
            "event": asked.get("event", ""),
            "review_from": review.get("from", 50),
            "review_days": review.get("days", 7),
            "review_then": review.get("then", Verdict.APPROVE),
            "touch": raw.get("touch", Touch.LAST),
        }
        defaults = {"window_days": 90, "hold_days": 14, "claim_days": 14, "cookie_days": 30, "invites_per_day": 10}
        values |= {name: raw.get(name, default) for name, default in defaults.items()}
        for name in WHOSE:
            values |= {f"{name}_{key}": value for key, value in (raw.get(name) or {}).items()}
        for n, step in enumerate(raw.get("milestones", [])[:STEPS]):
            values[f"step{n}_friends"] = step.get("friends")
            values |= {f"step{n}_{key}": value for key, value in step.get("thanks", {}).items()}
        values |= {f"limit_{one.get('period')}": one.get("most") for one in raw.get("limits", [])}
        for name, texts in raw.get("texts", {}).items():
            values |= {f"text_{name}_{language}": text for language, text in texts.items()}
        if self.instance.pk and self.instance.budget_minor is not None:
            values["budget"] = to_major(self.instance.budget_minor, get_programme().currency)
        return values

    def definition(self) -> dict[str, Any]:
        """The definition that the fields tell, not read yet."""
        data = self.cleaned_data

        def thanks(name: str) -> dict[str, Any]:
            keys = ("points", "points_days", "credit", "offer", "tier", "tier_days", "plan")
            told = {key: data.get(f"{name}_{key}") for key in keys}
            return {key: str(value) if key == "credit" else value for key, value in told.items() if value}

        raw: dict[str, Any] = {
            "qualifies": {
                "by": data["qualifies_by"],
                "least": str(data["least"] or 0),
                "count": data["count"] or 1,
                "event": data["event"],
            },
            "touch": data["touch"],
            "review": {"from": data["review_from"], "days": data["review_days"], "then": data["review_then"]},
            "texts": {
                name: {language: data.get(f"text_{name}_{language}") or "" for language in Language.values}
                for name in TEXTS
            },
        }
        raw |= {name: data[name] for name in ("window_days", "hold_days", "claim_days", "cookie_days")}
        raw["invites_per_day"] = data["invites_per_day"]
        raw |= {name: told for name in WHOSE if (told := thanks(name))}
        raw["milestones"] = [
            {"friends": data[f"step{n}_friends"], "thanks": thanks(f"step{n}")}
            for n in range(STEPS)
            if data.get(f"step{n}_friends")
        ]
        raw["limits"] = [
            {"period": str(period), "most": data[f"limit_{period}"]} for period in Period if data.get(f"limit_{period}")
        ]
        return raw

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        self.raw = self.definition()
        try:
            parse(self.raw, known())
        except BadProgramme as bad:
            for problem in bad.problems:
                self.add_error(self._field_at(problem.path), problem.sentence)
        budget = data.get("budget")
        currency = get_programme().currency
        self.budget_minor = None if budget is None else to_minor(budget, currency)
        if self.budget_minor is not None and self.budget_minor < self.instance.spent_minor:
            spent = {"spent": format_money(self.instance.spent_minor, currency)}
            self.add_error("budget", gettext("%(spent)s of it are promised and given already.") % spent)
        return data

    def _field_at(self, path: str) -> str | None:
        """The field that a problem belongs to."""
        match path.strip("/").split("/"):
            case ["qualifies", "by"]:
                name = "qualifies_by"
            case ["qualifies", key]:
                name = key
            case ["review", key]:
                name = f"review_{key}"
            case ["texts", key, language]:
                name = f"text_{key}_{language}"
            case ["milestones", n, "thanks", key]:
                name = f"step{n}_{key}"
            case ["milestones", n, "thanks"]:
                name = f"step{n}_points"
            case ["milestones", n, key]:
                name = f"step{n}_{key}"
            case [whose] if whose in WHOSE:
                name = f"{whose}_points"
            case [whose, key] if whose in WHOSE:
                name = f"{whose}_{key}"
            case [key]:
                name = key
            case _:
                return None
        return name if name in self.fields else None
