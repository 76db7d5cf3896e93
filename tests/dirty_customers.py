"""A messy file of 10,000 customers, the same each time, with what is in it counted while it is made."""

import csv
import io
import random
from collections import Counter
from dataclasses import dataclass, field

ROWS = 10_000
HEADER = [
    "E-Mail",
    "Vorname",
    "姓",
    "手机",
    "Geburtstag",
    "City",
    "Tags",
    "E-Mail",
    "Newsletter",
    "Opt-in date",
    "Milk",
]
_FIRST = ("Ada", "Jürgen", "王", "François", "Zoë", "O'Neil", "伟", "Łukasz")
_LAST = ("Lovelace", "Müller", "李", "Peña", "Øster", "Smith-Jones", "陈", "Nowak")


@dataclass
class Dirty:
    """The file, and what must come of it: good rows, bad rows by kind, and the members among the good who are known."""

    text: str
    good: int = 0
    bad: Counter = field(default_factory=Counter)
    known: int = 0


def dirty_customers() -> Dirty:
    """Every kind of dirt once in a while; the rest as people write it."""
    chance = random.Random(7)
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(HEADER)
    told = Dirty("")
    for i in range(ROWS):
        email = f"kunde{i}@example.com"
        phone = _phone(i, chance)
        birthday = _birthday(i, chance)
        row = [email, chance.choice(_FIRST), chance.choice(_LAST), phone, birthday, "Köln", "vip, 咖啡", "", "ja",
               "03.02.2024", "oat"]  # fmt: skip
        kind = _DIRT.get(i % 50)
        if kind:
            kind = _spoil(row, kind, i)
        if kind:
            told.bad[kind] += 1
        else:
            told.good += 1
            told.known += i % 100 == 0
            if i % 3 == 0:
                row[0] = f"  {email.upper()} "
        writer.writerow(row)
        if i % 997 == 0:
            out.write("\r\n")  # blank lines count for nothing
    told.text = out.getvalue()
    return told


_DIRT = {
    3: "email_unreadable",
    7: "date_unreadable",
    11: "formula",
    13: "twice_in_file",
    17: "phone_no_country",
    19: "columns",
    23: "attribute_choice",
    29: "missing",
    31: "neither_yes_nor_no",
    37: "date_future",
}


def _spoil(row: list[str], kind: str, i: int) -> str:
    match kind:
        case "email_unreadable":
            row[0] = f"kunde{i}@example"
        case "date_unreadable":
            row[4] = "31.02.1990"
        case "formula":
            row[1] = "=1+1"
        case "twice_in_file":
            row[0] = f"kunde{i - 1}@EXAMPLE.com"
        case "phone_no_country":
            row[3] = "0170 1234567"
        case "columns":
            del row[3:]
        case "attribute_choice":
            row[10] = "yak"
        case "missing":
            row[0] = " "
        case "neither_yes_nor_no":
            row[8] = "perhaps"
        case "date_future":
            row[4] = "01.01.2031"
    return kind


def _phone(i: int, chance: random.Random) -> str:
    number = f"{i:07}"
    return chance.choice((f"+49 170 {number}", f"+49(0)171-{number}", f"0049 172/{number}", f"+86 139 0{number}", ""))


def _birthday(i: int, chance: random.Random) -> str:
    year, month, day = 1940 + i % 60, i % 12 + 1, i % 28 + 1
    forms = (
        f"{day}.{month}.{year}",
        f"{year}-{month:02}-{day:02}",
        f"{year}年{month}月{day}日",
        "农历八月十五",
        "",
        "31.12.",
    )
    return chance.choice(forms)
