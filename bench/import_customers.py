"""Import of customers, half of them members already, beside hand-written SQL that writes the same rows.

By hand: COPY into a table, then an upsert by e-mail with the timeline. The product also judges every row, and keeps a
journal by which all of it can be taken back.
"""

import csv
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from bench.base import Row, copied, migrated, seconds
from bench.importing import Import, assert_flat, say

AS_OF = datetime(2026, 5, 1, tzinfo=UTC)
CITIES = ("Berlin", "Shanghai", "Paris", "London", "Hamburg", "Beijing")


def write_file(path: Path, rows: int) -> None:
    """Customers with e-mail, name, phone, city, postal code, birthday and language, as a shop would export them."""
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["email", "name", "phone", "city", "zip", "birthday", "language"])
        for i in range(rows):
            birthday = f"{1950 + i % 55}-{i % 12 + 1:02}-{i % 28 + 1:02}"
            out.writerow([f"customer{i}@example.com", f"Customer {i}", f"+49170{i:07}", CITIES[i % 6],
                          f"{10000 + i % 80000}", birthday, "en"])  # fmt: skip


# Half of the file is there before, under another name.
BEFORE = """
INSERT INTO members_member (name, email, phone, language, time_zone, city, birthday_calendar, birthday_leap_month,
                            leap_day_rule, joined_at)
SELECT 'Before ' || i, 'customer' || i || '@example.com', '', 'en', 'UTC', 'Rome', 'solar', false, 'feb28', %(as_of)s
FROM generate_series(0, %(rows)s - 1, 2) AS i;
ANALYZE members_member;
"""
RAW = "email text, name text, phone text, city text, zip text, birthday date, language text"
BY_HAND = """
ANALYZE raw;
CREATE TEMP TABLE told AS
    SELECT raw.*, member.id AS known_id FROM raw LEFT JOIN members_member AS member
      ON member.email <> '' AND lower(member.email) = raw.email;
UPDATE members_member AS member SET name = told.name, phone = told.phone, city = told.city, postal_code = told.zip,
       birthday_month = extract(month FROM birthday), birthday_day = extract(day FROM birthday),
       birthday_year = extract(year FROM birthday), updated_at = now()
    FROM told WHERE told.known_id = member.id;
INSERT INTO members_member (name, email, phone, language, time_zone, city, postal_code, birthday_calendar,
                            birthday_month, birthday_day, birthday_year, birthday_leap_month, leap_day_rule, source,
                            joined_at)
    SELECT name, email, phone, language, 'UTC', city, zip, 'solar', extract(month FROM birthday),
           extract(day FROM birthday), extract(year FROM birthday), false, 'feb28', 'shop', %(as_of)s
    FROM told WHERE known_id IS NULL;
INSERT INTO members_timelineevent (member_id, kind, at, data)
    SELECT id, 'member.joined', %(as_of)s, '{"source": "shop", "customer_import": 1}' FROM members_member
    WHERE source = 'shop';
INSERT INTO members_timelineevent (member_id, kind, at, data)
    SELECT known_id, 'member.profile_changed', %(as_of)s,
           '{"source": "shop", "customer_import": 1, "fields": ["birthday", "city", "name", "phone", "postal_code"]}'
    FROM told WHERE known_id IS NOT NULL;
INSERT INTO members_changedmember (member_id) SELECT id FROM members_member;
"""
COUNTED = {
    "members": "SELECT count(*) || '/' || sum(birthday_year) || '/' || sum(length(name)) || '/' || sum(length(phone))"
    " || '/' || sum(length(postal_code)) || '/' || sum(length(city)) FROM members_member",
    "events": "SELECT count(*) || '/' || sum(length(data::text)) FROM members_timelineevent",
    "changed": "SELECT count(*) FROM members_changedmember",
}


IMPORT = Import("import customers", "bench.import_customers", RAW, BY_HAND, AS_OF, COUNTED, at_least=0.4)


def child(path: Path) -> None:
    """The import alone, in its own process."""
    import django

    django.setup()
    from django.core.files import File

    from members.services.imports.customers.intake import create_customer_import, make_ready
    from members.services.imports.customers.running import run_customer_import

    def bring_in() -> None:
        with path.open("rb") as opened:
            made, _look = create_customer_import(file=File(opened, path.name), name=path.name, source="shop", at=AS_OF)
        make_ready(import_id=made.pk, dry_run=False, at=AS_OF)
        try:
            done = run_customer_import(import_id=made.pk)
        finally:
            made.file.delete(save=False)
        assert (done.state, done.problems) == ("done", 0), done.error_sentence

    say(seconds(bring_in))


def run(server: str) -> Iterator[Row]:
    made = []
    with migrated(server, "bench_customers"), tempfile.TemporaryDirectory() as folder:
        for rows, times in ((100_000, 3), (1_000_000, 1)):
            path = Path(folder) / "customers.csv"
            write_file(path, rows)
            with copied(server, "bench_customers", "bench_customers_half") as half:
                with psycopg.connect(half) as connection:
                    psycopg.ClientCursor(connection).execute(BEFORE, {"as_of": AS_OF, "rows": rows})
                made.append(IMPORT.compared(server, "bench_customers_half", path, rows, times))
            yield made[-1]
    assert_flat(*made)


if __name__ == "__main__":
    child(Path(sys.argv[1]))
