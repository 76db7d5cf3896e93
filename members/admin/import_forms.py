"""What staff decide about a file that comes in: how to read it, what its columns hold, what its rows may do."""

from typing import Any

from babel import Locale
from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import get_language, to_locale
from django.utils.translation import gettext_lazy as _
from phonenumbers import SUPPORTED_REGIONS
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from members.enums import CustomerKey, DateOrder, DecimalMark, ImportMode
from members.import_problems import FileRefused
from members.models import CustomerImport
from members.services.imports.customers.fields import groups
from members.services.imports.customers.rows import phone_country

_BESIDE = {
    "dates_unclear": "date_order",
    "decimals_unclear": "decimal_mark",
    "card_only_updates": "key",
    "columns_missing": "key",
    "nothing_to_update": "mode",
    "consent_needs_date": "consent_on",
    "consent_needs_source": "consent_source",
}
_UNDECIDED = ("", _("– please choose –"))


class UploadForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        help_text=_("CSV, text with columns parted by tabs, or Excel (XLSX). One row for each customer."),
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.tsv,.txt,.xlsx,text/csv,text/plain"}),
    )
    source = forms.CharField(
        label=_("Source"),
        max_length=40,
        help_text=_("The system it comes from, such as “web shop”. Customer numbers belong to their source."),
        widget=UnfoldAdminTextInputWidget(attrs={"list": "sources", "autocomplete": "off"}),
    )


class ChoicesForm(forms.Form):
    """One choice for each column of the file, then what its rows may do."""

    key = forms.ChoiceField(
        label=_("Members are found by"), choices=CustomerKey.choices, widget=UnfoldAdminSelectWidget
    )
    mode = forms.ChoiceField(label=_("Rows may"), choices=ImportMode.choices, widget=UnfoldAdminSelectWidget)
    source = forms.CharField(label=_("Source"), max_length=40, widget=UnfoldAdminTextInputWidget)
    date_order = forms.ChoiceField(
        label=_("Dates are written"),
        choices=(_UNDECIDED, *DateOrder.choices),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    decimal_mark = forms.ChoiceField(
        label=_("Decimals begin with a"),
        choices=(_UNDECIDED, *DecimalMark.choices),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    phone_country = forms.ChoiceField(
        label=_("Phone numbers without + are of"),
        required=False,
        help_text=_("For numbers without a country code, and for those whose + a spreadsheet took away."),
        widget=UnfoldAdminSelectWidget,
    )
    clear_empty = forms.BooleanField(
        label=_("Empty cells empty the field"),
        required=False,
        help_text=_("Otherwise an empty cell leaves what the member has."),
        widget=UnfoldBooleanWidget,
    )
    new_options = forms.BooleanField(
        label=_("Unknown choices are added to their attribute"), required=False, widget=UnfoldBooleanWidget
    )
    consent_on = forms.DateField(
        label=_("Consent was given on"),
        required=False,
        widget=UnfoldAdminSingleDateWidget,
        help_text=_("For rows without a date of their own."),
    )
    consent_source = forms.CharField(
        label=_("Where it was given"),
        required=False,
        max_length=40,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("For rows that do not say: “sign-up form 2024”."),
    )
    consent_evidence = forms.CharField(
        label=_("What proves it"), required=False, max_length=200, widget=UnfoldAdminTextInputWidget
    )
    last_row_whole = forms.BooleanField(label=_("The last row is whole"), required=False, widget=UnfoldBooleanWidget)

    def __init__(self, *args: Any, customer_import: CustomerImport, **kwargs: Any) -> None:
        i, layout = customer_import, customer_import.layout
        initial = {
            **{name: getattr(i, name) for name in ("key", "mode", "source", "clear_empty", "new_options")},
            "date_order": layout["date_order"] or "",
            "decimal_mark": layout["decimal_mark"] or "",
            "last_row_whole": layout["last_row_whole"],
            **i.fixed,
            "consent_on": i.fixed.get("consent_on", "")[:10],
            "phone_country": phone_country(i) or "",
        }
        super().__init__(*args, **kwargs | {"initial": initial})
        names = Locale.parse(to_locale(get_language() or "en")).territories
        countries = sorted((names.get(code, code), code) for code in SUPPORTED_REGIONS)
        self.fields["phone_country"].choices = [("", "–"), *((code, name) for name, code in countries)]  # type: ignore[attr-defined]
        held = {column: field for field, column in i.mapping.items()}
        choices = [("", "–"), *((group.label, group.fields) for group in groups())]
        self.columns = [f"column_{n}" for n in range(len(layout["columns"]))]
        for n, name in enumerate(self.columns):
            self.fields[name] = forms.ChoiceField(
                label=layout["columns"][n] or _("Column %(number)s") % {"number": n + 1},
                choices=choices,
                required=False,
                initial=held.get(n, ""),
                widget=UnfoldAdminSelectWidget,
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        self.mapping: dict[str, int] = {}
        for n, name in enumerate(self.columns):
            chosen = cleaned.pop(name, "")
            if chosen and chosen in self.mapping:
                self.add_error(name, ValidationError(str(FileRefused("column_twice", field=chosen))))
            elif chosen:
                self.mapping[chosen] = n
        return cleaned

    def refuse(self, problem: FileRefused) -> None:
        """Puts a refusal beside what it is about."""
        self.add_error(_BESIDE.get(problem.code), ValidationError(str(problem)))
