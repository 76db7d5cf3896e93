"""What staff fill in to reach people."""

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from members.models import Segment
from surveys.enums import PlaceKind, TriggerEvent


class _Desk(forms.Form):
    """Fields in the dress of the desk."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs.setdefault("class", "desk-input")


def _share() -> forms.DecimalField:
    return forms.DecimalField(
        label=_("share drawn (%)"), min_value=0.01, max_value=100, max_digits=5, decimal_places=2, initial=100
    )


def _segment() -> forms.ModelChoiceField:
    return forms.ModelChoiceField(
        Segment.objects.order_by("name"), label=_("group"), required=False, empty_label=_("all members")
    )


def _days() -> forms.IntegerField:
    return forms.IntegerField(label=_("days to answer"), min_value=1, max_value=365, initial=30)


class WaveForm(_Desk):
    segment = _segment()
    share = _share()
    days_open = _days()


class TriggerForm(_Desk):
    event = forms.ChoiceField(label=_("when"), choices=TriggerEvent)
    after_hours = forms.IntegerField(label=_("hours later"), min_value=0, max_value=1440, initial=2)
    store = forms.CharField(label=_("only in the store"), max_length=80, required=False)
    least = forms.DecimalField(
        label=_("from an amount of"), min_value=0, max_digits=12, decimal_places=2, required=False
    )
    name = forms.CharField(label=_("name of the event"), max_length=60, required=False)
    every_days = forms.IntegerField(label=_("every so many days"), min_value=1, max_value=730, required=False)
    share = _share()
    cooldown_days = forms.IntegerField(label=_("not again for days"), min_value=0, max_value=1000, initial=30)
    segment = _segment()

    def clean(self) -> dict[str, Any]:
        told = super().clean() or {}
        if told.get("event") == TriggerEvent.CUSTOM and not told.get("name"):
            self.add_error("name", gettext("Please say which event, as the other system calls it."))
        if told.get("event") == TriggerEvent.SCHEDULE and not told.get("every_days"):
            self.add_error("every_days", gettext("Please say after how many days it comes round."))
        return told


class TriggerChangeForm(TriggerForm):
    """Of one that there is: what its event has a use for. The event stays."""

    days_open = _days()
    of_schedule = ("event", "every_days", "share", "days_open", "segment")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        event = self.initial["event"]
        self.fields["event"].disabled = True
        gone = {"every_days"}
        if event == TriggerEvent.SCHEDULE:
            gone = self.fields.keys() - set(self.of_schedule)
        else:
            gone |= {"store", "least"} if event != TriggerEvent.PURCHASE else set()
            gone |= {"name"} if event != TriggerEvent.CUSTOM else set()
        for name in gone:
            del self.fields[name]


class PlaceForm(_Desk):
    kind = forms.ChoiceField(label=_("kind"), choices=PlaceKind)
    store = forms.CharField(label=_("store"), max_length=80, required=False)
    tables = forms.CharField(
        label=_("tables or corners"),
        max_length=400,
        required=False,
        help_text=_("Several with commas between them: each gets its own code."),
    )
    idle_seconds = forms.IntegerField(
        label=_("a tablet begins anew after seconds"), min_value=15, max_value=600, initial=60
    )


class TestForm(_Desk):
    to = forms.EmailField(label=_("e-mail address to try it with"))


class RestForm(_Desk):
    days = forms.IntegerField(label=_("days between two invitations to anybody"), min_value=0, max_value=365)
