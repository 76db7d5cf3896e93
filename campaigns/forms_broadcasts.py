"""The steps of a broadcast: to whom, what, when. Each says what it changes as `control.edit` takes it."""

from collections.abc import Iterator
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms import BoundField
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from liquid.exceptions import LiquidError
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelect2MultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from campaigns import merge
from campaigns.enums import BroadcastWhen, CampaignPurpose, HourPassed, Metric, OccasionKind
from campaigns.forms_measures import MEASURES, MeasuresFields
from campaigns.forms_outgoing import SENDING, SendingFields, time_field
from campaigns.models import Broadcast, Occasion, Template, Topic
from campaigns.services.broadcasts.control import Version
from campaigns.services.senders import channel_choices
from campaigns.services.templates import newest_version
from members.models import MemberList, Segment, Tag
from rewards.enums import OfferState
from rewards.models import Offer

MOST_VERSIONS = 4
_PURPOSES = [(one.value, one.label) for one in (CampaignPurpose.OFFERS, CampaignPurpose.GREETINGS)]


def _other_ways() -> list[tuple[str, Any]]:
    return [("", _("no other way")), *channel_choices()]


def _whole(label: Any, *, low: int, high: int, **kwargs: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, min_value=low, max_value=high, widget=UnfoldAdminIntegerFieldWidget, **kwargs
    )


def _choice(label: Any, choices: Any, **kwargs: Any) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=choices, widget=UnfoldAdminSelectWidget, **kwargs)


def _many(label: Any, queryset: Any) -> forms.ModelMultipleChoiceField:
    return forms.ModelMultipleChoiceField(
        label=label, queryset=queryset, required=False, widget=UnfoldAdminSelect2MultipleWidget
    )


class Step(forms.Form):
    """`groups_of_fields` are headings with their fields; `changes` is what the step changes."""

    sections: tuple[tuple[Any, str, str], ...] = ()  # (heading, fields, when it is of use)

    def parts(self) -> Iterator[tuple[Any, list[BoundField], str]]:
        for heading, names, use in self.sections:
            yield heading, [self[name] for name in names.split()], use

    @classmethod
    def of(cls, broadcast: Broadcast) -> dict[str, Any]:
        """What the step shows of a broadcast."""
        raise NotImplementedError

    def changes(self) -> dict[str, Any]:
        raise NotImplementedError


class AudienceForm(Step):
    """To whom, and for what they said yes to."""

    name = forms.CharField(
        label=_("Name"),
        max_length=120,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Only staff see it, in lists and figures."),
    )
    purpose = _choice(
        _("They agreed to"), _PURPOSES, help_text=_("Only members who agreed to this by the channel get it.")
    )
    topic: forms.ModelChoiceField = forms.ModelChoiceField(
        label=_("About"),
        required=False,
        queryset=Topic.objects.filter(archived=False),
        widget=UnfoldAdminSelectWidget,
        help_text=_("Who does not want to hear of this topic does not get it."),
    )
    channel = _choice(_("By"), channel_choices)
    otherwise = _choice(
        _("otherwise by"),
        _other_ways,
        required=False,
        help_text=_("For members whom the first does not reach, or who did not agree to it."),
    )
    last = _choice(_("and else by"), _other_ways, required=False)
    everybody = forms.BooleanField(
        label=_("Everybody"),
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text=_("All members, with no group."),
    )
    segments = _many(_("In any of these segments"), Segment.objects.filter(archived_at=None))
    lists = _many(_("or on any of these lists"), MemberList.objects.all())
    tags = _many(_("or with any of these tags"), Tag.objects.all())
    segments_out = _many(_("In none of these segments"), Segment.objects.filter(archived_at=None))
    lists_out = _many(_("and on none of these lists"), MemberList.objects.all())
    tags_out = _many(_("and with none of these tags"), Tag.objects.all())

    GROUPS = ("segments", "lists", "tags", "segments_out", "lists_out", "tags_out")
    sections = (
        ("", "name purpose topic channel otherwise last", ""),
        (_("Who gets it"), "everybody segments lists tags", ""),
        (_("Who does not"), "segments_out lists_out tags_out", ""),
    )

    @classmethod
    def of(cls, broadcast: Broadcast) -> dict[str, Any]:
        chosen = {name: list(getattr(broadcast, name).values_list("pk", flat=True)) for name in cls.GROUPS}
        campaign = broadcast.campaign
        first, other, last = (*campaign.channels, "", "", "")[:3]
        return {
            **chosen,
            "name": campaign.name,
            "purpose": campaign.purpose,
            "topic": campaign.topic_id,
            "channel": first,
            "otherwise": other,
            "last": last,
            "everybody": broadcast.everybody,
        }

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if data.get("topic") and data["topic"].purpose != data.get("purpose"):
            self.add_error("topic", gettext("Members chose this topic for another purpose."))
        return data

    def changes(self) -> dict[str, Any]:
        data = self.cleaned_data
        channels = list(dict.fromkeys(filter(None, (data["channel"], data["otherwise"], data["last"]))))
        return {
            "campaign": {name: data[name] for name in ("name", "purpose", "topic")} | {"channels": channels},
            "broadcast": {"everybody": data["everybody"]},
            "groups": {name: data[name] for name in self.GROUPS},
        }


class ContentForm(Step):
    """What it says, in up to four versions, and what comes with it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        in_use = Template.objects.filter(archived_at=None, kind="marketing")
        for n in range(1, MOST_VERSIONS + 1):
            self.fields[f"template_{n}"] = forms.ModelChoiceField(
                label=_("Template"), queryset=in_use, required=n == 1, widget=UnfoldAdminSelectWidget
            )
            for language, label in (
                ("en", _("Subject instead (English)")),
                ("zh_hans", _("Subject instead (Chinese)")),
            ):
                self.fields[f"subject_{language}_{n}"] = forms.CharField(
                    label=label, max_length=200, required=False, widget=UnfoldAdminTextInputWidget
                )
            self.fields[f"share_{n}"] = _whole(_("Share"), low=1, high=100, required=False)
            self.fields[f"minutes_{n}"] = _whole(_("Minutes later"), low=0, high=10_080, required=False)
        self.fields["gift_points"] = _whole(_("Points"), low=0, high=1_000_000, help_text=_("0 gives none."))
        self.fields["gift_valid_days"] = _whole(
            _("Points valid for days"), low=1, high=3650, required=False, help_text=_("Empty: they never expire.")
        )
        self.fields["offer"] = forms.ModelChoiceField(
            label=_("Coupon"),
            queryset=Offer.objects.filter(state=OfferState.LIVE, shared_code=None),
            required=False,
            widget=UnfoldAdminSelectWidget,
            help_text=_("A code of their own for each member. Let the template show it by its coupon block."),
        )
        self.fields["metric"] = _choice(_("The better version is the one with more"), Metric.choices)
        self.fields["minimum"] = _whole(
            _("Members for each version at least"),
            low=30,
            high=10_000_000,
            help_text=_("With fewer there is no winner: chance alone makes such differences."),
        )
        self.fields["test_percent"] = _whole(
            _("Share that tests (%)"),
            low=5,
            high=100,
            help_text=_("The others wait for the better version. 100: all are in the test, the result is a report."),
        )
        self.fields["test_hours"] = _whole(_("The test is judged after (hours)"), low=1, high=336)

    @property
    def sections(self) -> tuple[tuple[Any, str, str], ...]:  # type: ignore[override]
        versions = tuple(
            (
                gettext("Version %(letter)s") % {"letter": "ABCD"[n - 1]},
                f"template_{n} subject_en_{n} subject_zh_hans_{n} share_{n} minutes_{n}",
                "" if n == 1 else "version",
            )
            for n in range(1, MOST_VERSIONS + 1)
        )
        return (
            *versions,
            (gettext("The test of versions"), "metric minimum test_percent test_hours", "version"),
            (gettext("What comes with it"), "gift_points gift_valid_days offer", ""),
        )

    @classmethod
    def of(cls, broadcast: Broadcast) -> dict[str, Any]:
        values: dict[str, Any] = {
            name: getattr(broadcast, name)
            for name in ("gift_points", "gift_valid_days", "metric", "minimum", "test_percent", "test_hours")
        }
        values["offer"] = broadcast.offer_id
        for n in range(1, MOST_VERSIONS + 1):
            values[f"share_{n}"], values[f"minutes_{n}"] = 1, 0
        for variant in broadcast.variants.select_related("version"):
            n = variant.number
            values |= {
                f"template_{n}": variant.version.template_id,
                f"subject_en_{n}": variant.subject.get("en", ""),
                f"subject_zh_hans_{n}": variant.subject.get("zh-hans", ""),
                f"share_{n}": variant.share,
                f"minutes_{n}": variant.minutes_later,
            }
        return values

    def clean(self) -> dict[str, Any]:
        for n in range(1, MOST_VERSIONS + 1):
            for language in ("en", "zh_hans"):
                name = f"subject_{language}_{n}"
                try:
                    wrong = merge.problems(self.cleaned_data.get(name) or "")
                except LiquidError as error:
                    wrong = [str(error)]
                if wrong:
                    self.add_error(name, ValidationError(wrong))
        return self.cleaned_data

    def changes(self) -> dict[str, Any]:
        data, versions = self.cleaned_data, []
        for n in range(1, MOST_VERSIONS + 1):
            template = data.get(f"template_{n}")
            if template is None:
                continue
            subject = {"en": data[f"subject_en_{n}"], "zh-hans": data[f"subject_zh_hans_{n}"]}
            version = newest_version(template.pk)
            versions.append(Version(version.pk, subject, data[f"share_{n}"] or 1, data[f"minutes_{n}"] or 0))
        names = ("gift_points", "gift_valid_days", "offer", "metric", "minimum", "test_percent", "test_hours")
        return {"broadcast": {name: data[name] for name in names}, "versions": versions}


class WhenForm(MeasuresFields, SendingFields, Step):
    """When it goes out, how fast, and what is measured."""

    when = _choice(_("Goes out"), BroadcastWhen.choices)
    send_at = forms.DateTimeField(
        label=_("Moment"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"}),
        help_text=_("In the time zone of the programme."),
    )
    day = forms.DateField(label=_("Day"), required=False, widget=UnfoldAdminDateWidget)
    occasion: forms.ModelChoiceField = forms.ModelChoiceField(
        label=_("Occasion"),
        required=False,
        queryset=Occasion.objects.filter(active=True).exclude(kind=OccasionKind.MEMBER),
        widget=UnfoldAdminSelectWidget,
        help_text=_("Where its day is moved in the calendar, this moves along until it has begun."),
    )
    days_after = forms.IntegerField(
        label=_("Days after it"),
        min_value=-60,
        max_value=60,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("-3: three days before."),
    )
    hour = time_field(_("Time of day"), help_text=_("On each member's own clock."))
    hour_passed = _choice(_("Where that hour is over when it is scheduled"), HourPassed.choices)
    late_hours = _whole(
        _("Late by at most (hours)"),
        low=1,
        high=336,
        help_text=_("After that it does not go out any more, and is listed as missed."),
    )
    holdout_percent = forms.DecimalField(
        label=_("Held out (%)"),
        min_value=0,
        max_value=50,
        max_digits=4,
        decimal_places=1,
        widget=UnfoldAdminIntegerFieldWidget(attrs={"step": "0.5"}),
        help_text=_("Drawn by lot. They get nothing, which shows what the others would have bought anyway. 0: nobody."),
    )

    BROADCAST = ("when", "send_at", "day", "occasion", "days_after", "hour", "hour_passed", "late_hours")
    CAMPAIGN = (*SENDING, "holdout_percent", *MEASURES)
    sections = (
        ("", "when", ""),
        ("", "send_at", "moment"),
        ("", "occasion days_after", "occasion"),
        ("", "day", "local"),
        ("", "hour hour_passed", "local occasion"),
        (_("How late and how fast"), f"late_hours {' '.join(SENDING)}", ""),
        (_("What is measured"), f"holdout_percent {' '.join(MEASURES)}", ""),
    )

    @classmethod
    def of(cls, broadcast: Broadcast) -> dict[str, Any]:
        values = {name: getattr(broadcast, name) for name in cls.BROADCAST}
        values["occasion"] = broadcast.occasion_id
        return values | {name: getattr(broadcast.campaign, name) for name in cls.CAMPAIGN}

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        needs = {
            BroadcastWhen.MOMENT: ("send_at",),
            BroadcastWhen.LOCAL: ("day", "hour"),
            BroadcastWhen.OCCASION: ("occasion", "hour"),
        }
        for name in needs.get(data["when"], ()) if "when" in data else ():
            if not data.get(name) and name not in self.errors:
                self.add_error(name, gettext("Please fill this in."))
        data["days_after"] = data.get("days_after") or 0
        return data

    def changes(self) -> dict[str, Any]:
        data = self.cleaned_data
        return {
            "broadcast": {name: data[name] for name in self.BROADCAST},
            "campaign": {name: data[name] for name in self.CAMPAIGN},
        }


class RefuseForm(forms.Form):
    """Why it does not go out as it is."""

    why = forms.CharField(
        label=_("Reason"),
        max_length=120,
        help_text=_("Whoever asked reads it on the draft."),
        widget=UnfoldAdminTextInputWidget,
    )


class Nothing(forms.Form):
    """An act that asks nothing but whether."""
