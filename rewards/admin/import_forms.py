"""What staff decide about a file of purchases: where it comes from, how to read it, what its columns hold."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from members.enums import DateOrder, DecimalMark, ImportField
from members.import_problems import FileRefused
from members.models import PurchaseImport
from members.validators import time_zones, validate_currency

# Where a refusal is about one of the fields, it stands beside it.
_BESIDE = {"dates_unclear": "date_order", "dates_unreadable": "date_order", "decimals_unclear": "decimal_mark"}
_UNDECIDED = ("", _("– please choose –"))


class UploadForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        help_text=_("CSV, text with columns parted by tabs, or Excel (XLSX). One row for each purchase."),
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.tsv,.txt,.xlsx,text/csv,text/plain"}),
    )
    source = forms.CharField(
        label=_("Source"),
        max_length=40,
        help_text=_("The system it comes from, such as “till”. Use the same name each time: receipt numbers and"
                    " customer numbers belong to their source."),
        widget=UnfoldAdminTextInputWidget(attrs={"list": "sources", "autocomplete": "off"}),
    )  # fmt: skip


class ColumnsForm(forms.Form):
    """One choice for each column of the file, then how its cells are written."""

    source = forms.CharField(label=_("Source"), max_length=40, widget=UnfoldAdminTextInputWidget)
    date_order = forms.ChoiceField(
        label=_("Dates are written"), choices=(_UNDECIDED, *DateOrder.choices), widget=UnfoldAdminSelectWidget
    )
    decimal_mark = forms.ChoiceField(
        label=_("Decimals begin with a"), choices=(_UNDECIDED, *DecimalMark.choices), widget=UnfoldAdminSelectWidget
    )
    currency = forms.CharField(
        label=_("Currency"),
        max_length=3,
        validators=[validate_currency],
        help_text=_("Of amounts whose row names none."),
        widget=UnfoldAdminTextInputWidget,
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        choices=lambda: [(name, name.replace("_", " ")) for name in sorted(time_zones())],
        help_text=_("Of times without an offset."),
        widget=UnfoldAdminSelect2Widget,
    )
    with_points = forms.BooleanField(
        label=_("Give points for these purchases"), required=False, widget=UnfoldBooleanWidget
    )
    last_row_whole = forms.BooleanField(label=_("The last row is whole"), required=False, widget=UnfoldBooleanWidget)

    def __init__(self, *args: Any, purchase_import: PurchaseImport, **kwargs: Any) -> None:
        layout = purchase_import.layout
        initial = {
            "source": purchase_import.source,
            "date_order": layout["date_order"] or "",
            "decimal_mark": layout["decimal_mark"] or "",
            "currency": purchase_import.currency,
            "time_zone": purchase_import.time_zone,
            "with_points": purchase_import.with_points,
            "last_row_whole": layout["last_row_whole"],
        }
        super().__init__(*args, **kwargs | {"initial": initial})
        held = {column: field for field, column in purchase_import.mapping.items()}
        choices = [("", "–"), *((field.value, capfirst(field.label)) for field in ImportField)]
        self.columns = [f"column_{i}" for i in range(len(layout["columns"]))]
        for i, name in enumerate(self.columns):
            self.fields[name] = forms.ChoiceField(
                label=layout["columns"][i] or _("Column %(number)s") % {"number": i + 1},
                choices=choices,
                required=False,
                initial=held.get(i, ""),
                widget=UnfoldAdminSelectWidget,
            )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        self.mapping: dict[str, int] = {}
        for i, name in enumerate(self.columns):
            chosen = cleaned.get(name)
            if chosen and chosen in self.mapping:
                twice = FileRefused("column_twice", field=chosen)
                self.add_error(name, ValidationError(str(twice)))
            elif chosen:
                self.mapping[chosen] = i
        return cleaned

    def refuse(self, problem: FileRefused) -> None:
        """Puts a refusal beside what it is about."""
        self.add_error(_BESIDE.get(problem.code), ValidationError(str(problem)))
