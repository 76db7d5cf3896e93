"""One row of a file of customers: as it is understood, and as a line for COPY."""

import json
from collections.abc import Callable
from typing import Any

from django.conf import settings

from members.enums import Calendar, CustomerField, CustomerKey, DateOrder
from members.models import Attribute, CustomerImport
from members.queries import get_programme
from members.services.imports.cells import Bad, Reader, Remembered, broken, escaped, padded, read_card
from members.services.imports.columns import Layout
from members.services.imports.customers import cells as read
from members.services.imports.customers.fields import ATTRIBUTE, attributes, consent_fields, extras
from members.services.imports.reading import Row

F = CustomerField
_TEXTS = {F.NAME: 120, F.FIRST_NAME: 80, F.LAST_NAME: 80, F.STREET: 160, F.POSTAL_CODE: 12, F.CITY: 80, F.CUSTOMER: 120,
          F.CONSENT_SOURCE: 40, F.CONSENT_EVIDENCE: 200}  # fmt: skip
COLUMNS = (
    *("n", "number", "customer", "card", "email", "phone", "name", "language", "time_zone", "street", "postal_code"),
    *("city", "country", "birthday", "joined_at", "attributes", "tags", "consents", "extras", "faults"),
)
# What stands in a column of its own; an empty cell there may clear the field, but never the key or what must be.
_CLEARABLE = frozenset((F.EMAIL, F.PHONE, F.NAME, F.STREET, F.POSTAL_CODE, F.CITY, F.COUNTRY, F.BIRTHDAY))
Values = dict[str, Any]


def phone_country(i: CustomerImport) -> str | None:
    """Of which country numbers without + are taken to be (ISO code): as chosen for the file, else as set up."""
    return i.fixed.get("phone_country", settings.PHONENUMBER_DEFAULT_REGION) or None


class RowReader:
    """Reads the rows of an import. `new_option` makes unknown choices of an attribute known; None: they are bad."""

    def __init__(self, i: CustomerImport, new_option: Callable[[Attribute, str], str] | None = None) -> None:
        layout = Layout(**i.layout)
        self._layout, self._width = layout, len(layout.columns)
        order = DateOrder(layout.date_order or DateOrder.YMD)
        mark = layout.decimal_mark or "."
        zone = get_programme().time_zone
        readers: dict[str, Reader] = {field: read.text_reader(field, most) for field, most in _TEXTS.items()} | {
            F.CARD: read_card,
            F.EMAIL: read.read_an_email,
            F.PHONE: read.a_phone_reader(phone_country(i)),
            F.LANGUAGE: read.read_language,
            F.TIME_ZONE: read.read_time_zone,
            F.COUNTRY: read.read_country,
            F.BIRTHDAY: read.birthday_reader(order, i.as_of),
            F.BIRTHDAY_CALENDAR: read.read_calendar,
            F.BIRTHDAY_LEAP_MONTH: read.yes_or_no,
            F.JOINED_AT: read.moment_reader(order, i.as_of, zone),
            F.CONSENT_AT: read.moment_reader(order, i.as_of, zone),
            F.TAGS: read.read_tags,
        }
        for part in (F.BIRTHDAY_YEAR, F.BIRTHDAY_MONTH, F.BIRTHDAY_DAY):
            readers[part] = read.read_whole_number
        self.attributes = {f: a for f, a in attributes().items() if f in i.mapping}
        for field, attribute in self.attributes.items():
            readers[field] = read.attribute_reader(attribute, order, mark, new_option)
        self._consents = {f: what for f, what in consent_fields().items() if f in i.mapping}
        readers |= dict.fromkeys(self._consents, read.yes_or_no)
        self._extras = {name: extra for name, extra in extras().items() if name in i.mapping}
        for name, extra in self._extras.items():
            readers[name] = lambda cell, of=extra: of.read(cell, mark)  # type: ignore[misc]
        unique = {*CustomerKey.values, F.NAME, F.FIRST_NAME, F.LAST_NAME, F.STREET}
        self._read = [
            (field, readers[field] if field in unique else Remembered(readers[field]).__getitem__, column)
            for field, column in i.mapping.items()
        ]
        self._key, self._key_at = i.key, i.mapping[i.key]
        self._clear, self._as_of, self._fixed = i.clear_empty, i.as_of, i.fixed
        self._source, self._columns = i.source, i.mapping
        self._birthday_parts = F.BIRTHDAY_DAY in i.mapping
        self._names = F.FIRST_NAME in i.mapping or F.LAST_NAME in i.mapping

    def understand(self, row: Row) -> tuple[Values, list[Bad]]:
        """The values by field, and all that is wrong. A field to be left as it is has no value; "" clears it."""
        cells = row.cells
        if row.problem or not row.whole or len(cells) != self._width:
            cells = padded(row, self._width)
            problem = broken(row, self._width, self._layout.last_row_whole)
            if problem is not None:
                return {}, [problem]
        values: Values = {}
        faults: list[Bad] = []
        for field, reader, column in self._read:
            cell = cells[column].strip()
            if cell and cell[0] in "='":
                cell = read.plain(cell)
                if isinstance(cell, Bad):
                    faults.append(cell)
                    continue
            if not cell:
                if self._clear and (field in _CLEARABLE or field.startswith(ATTRIBUTE)) and field != self._key:
                    values[field] = ""
                continue
            value = reader(cell)
            if isinstance(value, Bad):
                faults.append(value)
            else:
                values[field] = value
        if self._key not in values and (not faults or not cells[self._key_at].strip()):
            faults.append(Bad("missing", {"field": self._key}))
        if self._names:
            self._put_name_together(values)
        if self._birthday_parts or F.BIRTHDAY_CALENDAR in values:
            self._put_birthday_together(values, faults)
        if self._consents:
            self._put_consents_together(values, faults)
        if faults and not row.whole:
            faults.insert(0, Bad("cut_off", {}))
        return values, faults

    def _put_name_together(self, values: Values) -> None:
        first, last = values.pop(F.FIRST_NAME, ""), values.pop(F.LAST_NAME, "")
        if values.get(F.NAME) or not (first or last):
            return
        chinese = first and last and not (first + last).isascii() and "\u4e00" <= last[0] <= "\u9fff"
        values[F.NAME] = f"{last}{first}" if chinese else f"{first} {last}".strip()[:120]

    def _put_birthday_together(self, values: Values, faults: list[Bad]) -> None:
        calendar = values.pop(F.BIRTHDAY_CALENDAR, Calendar.SOLAR)
        parts = [values.pop(part, "") for part in (F.BIRTHDAY_YEAR, F.BIRTHDAY_MONTH, F.BIRTHDAY_DAY)]
        leap = values.pop(F.BIRTHDAY_LEAP_MONTH, "false") == "true"
        if whole := values.get(F.BIRTHDAY):  # the calendar stands beside a whole date
            _solar, month, day, year, _leap = whole.split("/")
            parts = [year, month, day]
        elif not any(parts):
            return
        shown = "-".join(filter(None, parts))
        year, month, day = (int(part or 0) for part in parts)
        value = read.checked_birthday(shown, calendar, month or None, day or None, year, leap, self._as_of)  # type: ignore[arg-type]
        if isinstance(value, Bad):
            values.pop(F.BIRTHDAY, None)
            faults.append(value)
        else:
            values[F.BIRTHDAY] = value

    def _put_consents_together(self, values: Values, faults: list[Bad]) -> None:
        said = [(field, what, values.pop(field)) for field, what in self._consents.items() if field in values]
        at = values.pop(F.CONSENT_AT, None) or self._fixed.get("consent_on")
        source = values.pop(F.CONSENT_SOURCE, None) or self._fixed.get("consent_source")
        evidence = values.pop(F.CONSENT_EVIDENCE, None) or self._fixed.get("consent_evidence") or ""
        if not said:
            return
        agreed = next((field for field, _what, word in said if word == "true"), None)
        if agreed is not None:  # a no needs no evidence
            if not at and not any(fault.code.startswith("date") for fault in faults):
                faults.append(Bad("consent_no_date", {"column": self._name(agreed)}))
            if not source:
                faults.append(Bad("consent_no_source", {"column": self._name(agreed)}))
        at, source = at or self._as_of.isoformat(), source or self._source
        values["consents"] = [
            {"channel": c, "purpose": p, "granted": word == "true", "at": at, "source": source, "evidence": evidence}
            for _field, (c, p), word in said
        ]

    def _name(self, field: str) -> str:
        column = self._columns[field]
        return self._layout.columns[column] or str(column + 1)

    def line(self, n: int, row: Row) -> str:
        """The n-th row for COPY (text format) into COLUMNS."""
        values, faults = self.understand(row)
        if faults:
            told = escaped(json.dumps([fault._asdict() for fault in faults], ensure_ascii=False))
            return f"{n}\t{row.number}\t{_NOTHING}{told}\n"
        out = [str(n), str(row.number)]
        get = values.get
        for column in COLUMNS[2:15]:
            value = get(column)
            out.append("\\N" if value is None else escaped(value))
        chosen = {a.key: values[f] for f, a in self.attributes.items() if f in values} if self.attributes else None
        if chosen:
            pairs = (f"{json.dumps(key)}: {value or 'null'}" for key, value in chosen.items())
            out.append(escaped("{" + ", ".join(pairs) + "}"))
        else:
            out.append("\\N")
        tags = get(F.TAGS)
        out.append(escaped(tags) if tags else "\\N")
        consents = get("consents")
        out.append(escaped(json.dumps(consents, ensure_ascii=False)) if consents else "\\N")
        more = {name: values[name] for name in self._extras if name in values} if self._extras else None
        out.append(escaped(json.dumps(more)) if more else "\\N")
        out.append("\\N\n")
        return "\t".join(out)


_NOTHING = "\\N\t" * (len(COLUMNS) - 3)
