"""How a file that comes in is read: the form that imports of every kind share."""

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldBooleanWidget

from members.models.file_import import FileImport
from members.services.imports.reading import DELIMITERS, WORKBOOK

_ENCODINGS = (
    ("utf-8", "UTF-8"),
    ("gb18030", _("GB18030 (Chinese)")),
    ("utf-16", _("UTF-16 (Excel “Unicode text”)")),
    ("cp1252", _("Windows-1252 (Western European)")),
)
_DELIMITERS = (
    ("comma", _("Comma")),
    ("semicolon", _("Semicolon")),
    ("tab", _("Tab")),
    ("bar", _("Bar")),
    ("space", _("Spaces")),
)


class ReadForm(forms.Form):
    encoding = forms.ChoiceField(
        label=_("Encoding"), choices=(*_ENCODINGS, (WORKBOOK, _("Excel workbook"))), widget=UnfoldAdminSelectWidget
    )
    delimiter = forms.ChoiceField(label=_("Columns are parted by"), choices=_DELIMITERS, widget=UnfoldAdminSelectWidget)
    header = forms.BooleanField(label=_("The first row names the columns"), required=False, widget=UnfoldBooleanWidget)

    @staticmethod
    def of(file_import: FileImport) -> "ReadForm":
        """Filled in with how the file is read now."""
        layout = file_import.layout
        if layout["encoding"] == WORKBOOK:
            form = ReadForm(initial={**layout, "delimiter": "comma"})
            for name in ("encoding", "delimiter"):
                form.fields[name].widget = forms.HiddenInput()
            return form
        names = {sign: name for name, sign in DELIMITERS.items()}
        return ReadForm(initial={**layout, "delimiter": names[layout["delimiter"]]})

    def clean_delimiter(self) -> str:
        return DELIMITERS[self.cleaned_data["delimiter"]]
