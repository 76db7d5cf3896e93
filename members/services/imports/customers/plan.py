"""The plan of an import of customers: for every row which member it is, or that it is a new one, or why neither.

All of it is SQL over the staged rows. What is judged here stays judged: a later row does not become good because an
earlier one has changed a member meanwhile, so that a dry run counts what the real run does.
"""

from common.sql import execute
from members.enums import OWN_CARD, OWN_EMAIL, OWN_PHONE, CustomerKey, ImportMode
from members.models import CustomerImport
from members.queries import get_programme
from members.services.imports.tables import tables

# Whom each value belongs to: in the member's own row, or among the further ones; who was merged is who they are now.
_HOLDERS = {
    CustomerKey.EMAIL: f"""
LEFT JOIN members_member AS own_email ON own_email.email <> '' AND lower(own_email.email) = raw.email
LEFT JOIN members_identity AS more_email ON more_email.system = '{OWN_EMAIL}' AND more_email.value = raw.email""",
    CustomerKey.PHONE: f"""
LEFT JOIN members_member AS own_phone ON own_phone.phone <> '' AND own_phone.phone = raw.phone
LEFT JOIN members_identity AS more_phone ON more_phone.system = '{OWN_PHONE}' AND more_phone.value = raw.phone""",
    CustomerKey.CARD: f"""
LEFT JOIN members_member AS own_card ON own_card.card_number = raw.card
LEFT JOIN members_identity AS more_card ON more_card.system = '{OWN_CARD}' AND more_card.value = raw.card""",
    CustomerKey.CUSTOMER: """
LEFT JOIN members_identity AS more_customer
  ON more_customer.system = %(source)s AND more_customer.value = raw.customer""",
}
_HOLDER = {
    CustomerKey.EMAIL: "coalesce(own_email.id, more_email.member_id)",
    CustomerKey.PHONE: "coalesce(own_phone.id, more_phone.member_id)",
    CustomerKey.CARD: "coalesce(more_card.member_id, own_card.merged_into_id, own_card.id)",
    CustomerKey.CUSTOMER: "more_customer.member_id",
}
_PLAN = """
CREATE UNLOGGED TABLE {row} AS
SELECT raw.*, {member} AS member_id, {holders},
       CASE WHEN raw.faults IS NOT NULL THEN 'bad' WHEN {member} IS NULL THEN 'create'
            WHEN %(mode)s = 'create' THEN 'skip' ELSE 'update' END AS act
FROM {raw} AS raw {joins}
"""
# A plan made anew after a part is in: who held each value that this import itself has moved since. Nobody, where it
# brought the value in.
_BEFORE = """
CREATE TEMP TABLE before ON COMMIT DROP AS
WITH mine AS MATERIALIZED (SELECT * FROM members_importedmember WHERE customer_import_id = %(import)s),
moved (kind, value, member_id) AS (
    SELECT 'email', lower(member.email), NULL::bigint FROM mine JOIN members_member AS member ON member.id = member_id
    WHERE created
    UNION ALL SELECT 'phone', member.phone, NULL FROM mine JOIN members_member AS member ON member.id = member_id
    WHERE created
    UNION ALL SELECT field, lower(after ->> field), NULL FROM mine, unnest(ARRAY['email', 'phone']) AS field
    UNION ALL SELECT field, lower(mine.before ->> field), member_id
    FROM mine, unnest(ARRAY['email', 'phone']) AS field WHERE NOT created
    UNION ALL SELECT 'customer', known.value, NULL FROM mine, jsonb_array_elements(added -> 'identities') AS id
    JOIN members_identity AS known ON known.id = id::bigint
)
SELECT DISTINCT ON (kind, value) * FROM moved WHERE value <> '' ORDER BY kind, value, member_id
"""
_JOIN_BEFORE = """
LEFT JOIN before AS before_{key} ON before_{key}.kind = '{key}' AND before_{key}.value = raw.{key}"""
_NO_HOLDER = "NULL::bigint AS {name}_holder"
_FAULT = "jsonb_build_object('code', '{code}', 'params', jsonb_build_object('field', '{field}', 'value', row.{field}))"
_TAKEN = {
    CustomerKey.EMAIL: "contact_taken",
    CustomerKey.PHONE: "contact_taken",
    CustomerKey.CARD: "card_of_another",
    CustomerKey.CUSTOMER: "number_of_another",
}
# Full years as members.services.age counts them; a date of the Chinese calendar is taken to be a month later in ours.
_YOUNG = """
CASE WHEN row.birthday ~ '/[1-9][0-9]*/[01]$' THEN
    make_date(split_part(row.birthday, '/', 4)::int, split_part(row.birthday, '/', 2)::int, 1)
    + (split_part(row.birthday, '/', 3)::int - 1)
    + CASE WHEN row.birthday LIKE 'lunar%%' THEN interval '1 month' ELSE interval '0' END
    > %(as_of)s::date - %(age)s * interval '1 year' END
"""
_UNGUARDED = " AND NOT EXISTS (SELECT FROM members_guardian AS guardian WHERE guardian.member_id = row.member_id)"
_TOO_YOUNG = "jsonb_build_object('code', 'too_young', 'params', '{{}}'::jsonb)"
_JUDGE = """
UPDATE {row} AS row SET act = 'bad', faults = found.faults
FROM (SELECT row.n, jsonb_path_query_array(jsonb_build_array({faults}), '$[*] ? (@ != null)') AS faults
      FROM {row} AS row LEFT JOIN members_member AS member ON member.id = row.member_id
      WHERE row.faults IS NULL AND ({any_fault})) AS found
WHERE row.n = found.n
"""
# A further address of the member does not become the first one because a file names it.
_KEEP_FIRST = """
UPDATE {row} AS row SET {field} = NULL FROM members_member AS member
WHERE row.{field}_holder = row.member_id AND member.id = row.member_id AND lower(member.{field}) <> row.{field}
  AND row.faults IS NULL
"""
_TWICE = """
SELECT row.n, {place} AS place, jsonb_build_object('code', '{code}', 'params',
           jsonb_build_object('field', '{field}', 'value', row.{field}, 'first', first.number)) AS fault
FROM (SELECT {field} AS value, min(n) AS n FROM {{row}}
      WHERE faults IS NULL AND {field} IS NOT NULL AND {field}::text <> ''
      GROUP BY {field} HAVING count(*) > 1) AS same
JOIN {{row}} AS first ON first.n = same.n
JOIN {{row}} AS row ON row.{field} = same.value AND row.n > same.n AND row.faults IS NULL
"""
_JUDGE_TWICE = """
UPDATE {row} AS row SET act = 'bad', faults = found.faults
FROM (SELECT n, jsonb_agg(fault ORDER BY place) AS faults FROM ({each}) AS fault GROUP BY n) AS found
WHERE row.n = found.n
"""


def make_plan(i: CustomerImport, raw: str) -> None:
    """Makes the table `row` out of the rows staged in `raw`, which then goes. Runs in the caller's transaction."""
    names = {**tables(i), "raw": raw}
    used = [key for key in CustomerKey if key in i.mapping]
    others = [key for key in used if key != i.key]
    programme = get_programme()
    params = {"import": i.pk, "source": i.source, "mode": i.mode, "as_of": i.as_of, "age": programme.minimum_age}

    def run(statement: str, **more: str) -> None:
        execute(statement.format(**{name: part.format(**names) for name, part in more.items()}, **names), params)

    run("SET LOCAL work_mem = '96MB'")
    run("ANALYZE {raw}")
    known, joins = dict(_HOLDER), "".join(_HOLDERS[key] for key in used)
    if i.posted_rows:
        run(_BEFORE)
        for key in (key for key in used if key != CustomerKey.CARD):
            known[key] = f"CASE WHEN before_{key}.kind IS NULL THEN {known[key]} ELSE before_{key}.member_id END"
            joins += _JOIN_BEFORE.format(key=key)
    holders = ", ".join(
        f"{known[key]} AS {key}_holder" if key in used else _NO_HOLDER.format(name=key) for key in CustomerKey
    )
    run(_PLAN, member=known[CustomerKey(i.key)], holders=holders, joins=joins)
    run("DROP TABLE {raw}")
    run("CREATE UNIQUE INDEX ON {row} (n)")
    run("ANALYZE {row}")
    conditions = _conditions(i, others)
    if programme.minimum_age:
        conditions.append((_YOUNG + (_UNGUARDED if programme.guardian_may_consent else ""), _TOO_YOUNG))
    run(
        _JUDGE,
        faults=", ".join(f"CASE WHEN {when} THEN {fault} END" for when, fault in conditions),
        any_fault=" OR ".join(when for when, _fault in conditions),
    )
    for key in (CustomerKey.EMAIL, CustomerKey.PHONE):
        if key in used:
            run(_KEEP_FIRST, field=key)
    twice = [
        _TWICE.format(place=place, field=field, code="member_twice" if field == "member_id" else "twice_in_file")
        for place, field in enumerate((*used, "member_id"))
    ]
    run(_JUDGE_TWICE, each=" UNION ALL ".join(twice))
    run("ANALYZE {row}")


def _conditions(i: CustomerImport, others: list[CustomerKey]) -> list[tuple[str, str]]:
    """(what must not be, the fault that it is), in SQL."""
    found = [
        ("member.erased_at IS NOT NULL", "jsonb_build_object('code', 'member_erased', 'params', '{{}}'::jsonb)"),
        *(
            (
                f"row.{key}_holder IS NOT NULL AND row.{key}_holder IS DISTINCT FROM row.member_id",
                _FAULT.format(code=_TAKEN[key], field=key),
            )
            for key in others
        ),
        (
            'row.consents @> \'[{{"channel": "sms", "granted": true}}]\''
            " AND coalesce(nullif(row.phone, ''), member.phone, '') = ''",
            "jsonb_build_object('code', 'consent_no_phone', 'params', '{{}}'::jsonb)",
        ),
    ]
    if CustomerKey.CARD in others:
        found.append(
            ("row.card IS NOT NULL AND row.card_holder IS NULL", _FAULT.format(code="card_unknown", field="card"))
        )
    if i.mode == ImportMode.UPDATE:
        found.append(("row.member_id IS NULL", _FAULT.format(code="member_unknown", field=i.key)))
    return found
