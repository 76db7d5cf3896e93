"""What an import of customers is doing and has done, in words."""

import json
from typing import Any

from django.utils.formats import number_format
from django.utils.timezone import now
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from members.enums import Calendar, CustomerField, CustomerKey, ImportMode, ImportState, Language
from members.import_problems import sentences
from members.models import CustomerImport
from members.services.imports.cells import Bad
from members.services.imports.customers.fields import ATTRIBUTE, CONSENT, labels
from members.services.imports.customers.rows import Values
from members.services.imports.reading import Row

KEPT = {
    "member_gone": _("Merged or erased since."),
    "happened": _("Something has happened since: a purchase, a note, a sign-in."),
    "changed": _("Some fields were changed since; the others are back as they were."),
    "taken": _("The address or phone that the member had belongs to somebody else by now."),
    "spent": _("The points that came along have been spent."),
}


def number(n: int) -> str:
    return number_format(n, force_grouping=True)


def doing(i: CustomerImport) -> str:
    if i.cancel_requested:
        return gettext("Stopping after this chunk…")
    if i.state == ImportState.QUEUED:
        return gettext("Waiting for a worker…")
    if i.lease_until is not None and i.lease_until < now():
        return gettext("The worker stopped in the middle. Another one goes on within a minute…")
    counts = {"n": number(i.posted_rows), "all": number(i.rows)}
    if i.undoing:
        return gettext("Taking back: %(n)s of %(all)s members") % counts
    if not i.staged:
        return gettext("Reading: %(n)s rows so far") % {"n": number(i.rows)}
    if i.dry_run:
        return gettext("Checking: %(n)s of %(all)s rows") % counts
    return gettext("Importing: %(n)s of %(all)s rows") % counts


def _new(n: int) -> str:
    return ngettext("%(n)s new member", "%(n)s new members", n) % {"n": number(n)}


def _changed(n: int) -> str:
    return ngettext("%(n)s changed member", "%(n)s changed members", n) % {"n": number(n)}


def headline(i: CustomerImport) -> str:
    """What came of it, in a sentence."""
    if i.state == ImportState.FAILED:
        return i.error_sentence
    if i.undoing:
        return _taken_back(i)
    what = {"new": _new(i.created), "changed": _changed(i.updated)}
    if i.state == ImportState.CANCELLED:
        if not i.changed_something:
            return gettext("Stopped. Nothing came in.")
        return gettext("Stopped. Until then there were %(new)s and %(changed)s.") % what
    if not i.created and not i.updated:
        return gettext("There is nothing new in this file. Nothing was changed.")
    if i.dry_run:
        return gettext("Nothing is changed yet. There would be %(new)s and %(changed)s.") % what
    return gettext("It came in: %(new)s and %(changed)s.") % what


def _taken_back(i: CustomerImport) -> str:
    if i.state == ImportState.CANCELLED:
        return gettext("Stopped while it was taken back. It can go on.")
    what = {"removed": _new(i.removed), "restored": _changed(i.restored), "kept": number(i.kept)}
    if i.kept:
        return gettext("Taken back: %(removed)s and %(restored)s. %(kept)s could not be, or not wholly.") % what
    return gettext("Taken back: %(removed)s and %(restored)s. All is as it was.") % what


def import_label(i: CustomerImport) -> str:
    """What the button says; nothing where there is nothing to bring in."""
    if not (i.dry_run and i.state == ImportState.DONE and (i.created or i.updated)):
        return ""
    n = i.created + i.updated
    return ngettext("Import %(n)s member", "Import %(n)s members", n) % {"n": number(n)}


def settings_of(i: CustomerImport) -> list[tuple[str, str]]:
    """How the file was read, as (name, value)."""
    names = i.layout.get("columns", [])
    known = labels()
    columns = [
        f"{known.get(field, field)}: {names[column] or column + 1}"
        for field, column in sorted(i.mapping.items(), key=lambda pair: pair[1])
        if column < len(names)
    ]
    told = [
        (_("Source"), i.source),
        (_("Columns"), "; ".join(columns)),
        (_("Members are found by"), CustomerKey(i.key).label),
        (_("Rows may"), ImportMode(i.mode).label),
        (_("Empty cells"), _("empty the field") if i.clear_empty else _("leave what there is")),
        (_("Encoding"), i.layout.get("encoding", "").upper()),
    ]
    return [(str(name), str(value)) for name, value in told]


def warnings(mapping: dict[str, int]) -> list[str]:
    """What somebody may have overlooked in choosing columns."""
    told = [field for field in (CustomerField.CONSENT_AT, CustomerField.CONSENT_SOURCE) if field in mapping]
    if told and not any(field.startswith(CONSENT) for field in mapping):
        words = {"columns": ", ".join(str(field.label) for field in told)}
        return [gettext("No consent comes in: there is a column for the %(columns)s, but none says yes or no.") % words]
    return []


def understood(rows: list[tuple[Row, Values, list[Bad]]], mapping: dict[str, int]) -> dict[str, Any]:
    """The first rows as a table: headings, and for each row its number, cells and what is wrong."""
    known = labels()
    fields = _shown(mapping)
    return {
        "headings": [known.get(field, field) for field in fields],
        "rows": [
            {
                "number": row.number,
                "cells": [_cell(field, values) for field in fields],
                "faults": sentences([fault._asdict() for fault in faults]),
            }
            for row, values, faults in rows
        ],
    }


def _shown(mapping: dict[str, int]) -> list[str]:
    """The fields of members that these columns fill: names and birthdays in one."""
    parts = {CustomerField.FIRST_NAME: CustomerField.NAME, CustomerField.LAST_NAME: CustomerField.NAME}
    parts |= {f: CustomerField.BIRTHDAY for f in CustomerField if f.startswith("birthday_")}
    found = [str(parts.get(field, field)) for field in mapping if not field.startswith("consent_")]  # type: ignore[call-overload]
    return list(dict.fromkeys(found))


def _cell(field: str, values: Values) -> str:
    if field.startswith(CONSENT):
        said = {(c["channel"] or "-", c["purpose"]): c for c in values.get("consents", ())}
        consent = said.get(tuple(field.removeprefix(CONSENT).split(".", 1)))  # type: ignore[arg-type]
        if consent is None:
            return ""
        word = gettext("Yes") if consent["granted"] else gettext("No")
        return f"{word}, {str(consent['at'] or '')[:10]}, {consent['source'] or ''}".rstrip(", ")
    value = values.get(field)
    if value is None:
        return ""
    if value == "":
        return gettext("(emptied)")
    if field == CustomerField.BIRTHDAY:
        calendar, month, day, year, leap = value.split("/")
        words = "-".join(part.zfill(2) for part in (year, month, day) if part != "0")
        if calendar == Calendar.LUNAR:
            in_leap = gettext("leap month")
            words = f"{Calendar(calendar).label} {words}" + (f" ({in_leap})" if leap == "1" else "")
        return words
    if field == CustomerField.TAGS:
        return ", ".join(json.loads(value))
    if field == CustomerField.LANGUAGE:
        return str(Language(value).label)
    if field.startswith(ATTRIBUTE):
        return str(json.loads(value))
    return str(value).removesuffix(" 00:00:00")
