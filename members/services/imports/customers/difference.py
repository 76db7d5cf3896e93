"""What a row of a plan changes of its member, in SQL: the fields as they were and as they become. `$row` stands for the
table of the plan, the parameters `after` and `to` for the chunk."""

TEXTS = ("name", "email", "phone", "language", "time_zone", "street", "postal_code", "city", "country")
BIRTHDAY = """
CASE WHEN member.birthday_month IS NULL THEN ''
     ELSE concat_ws('/', member.birthday_calendar, member.birthday_month, member.birthday_day,
                    coalesce(member.birthday_year, 0), member.birthday_leap_month::int) END
"""
# A birthday in one word, taken apart again; '' is none. `$when` says whether it is to be set, `$word` is its SQL.
SET_BIRTHDAY = ", ".join(
    f"birthday_{part} = CASE WHEN $when THEN {value} ELSE member.birthday_{part} END"
    for part, value in (
        ("calendar", "coalesce(nullif(split_part($word, '/', 1), ''), 'solar')"),
        ("month", "nullif(split_part($word, '/', 2), '')::smallint"),
        ("day", "nullif(split_part($word, '/', 3), '')::smallint"),
        ("year", "nullif(nullif(split_part($word, '/', 4), ''), '0')::smallint"),
        ("leap_month", "split_part($word, '/', 5) = '1'"),
    )
)


def set_birthday(when: str, word: str) -> str:
    """SQL that sets a member's birthday to a word of birthday_text()."""
    return SET_BIRTHDAY.replace("$when", when).replace("$word", word)


MINE = "row.n > %(after)s AND row.n <= %(to)s"
# What each row changes of its member: the fields as they were and as they become. A date without its year does not take
# away the year of the same day.
_DIFFERENCE = f"""
SELECT n, number, member_id, jsonb_strip_nulls(before) AS before, jsonb_strip_nulls(after) AS after, attributes_before,
       attributes_after
FROM (
    SELECT row.n, row.number, row.member_id,
           jsonb_build_object($before) AS before, jsonb_build_object($after) AS after,
           changed.before AS attributes_before, changed.after AS attributes_after
    FROM $row AS row JOIN members_member AS member ON member.id = row.member_id
    LEFT JOIN LATERAL (
        SELECT jsonb_object_agg(key, member.attributes -> key) AS before, jsonb_object_agg(key, value) AS after
        FROM jsonb_each(row.attributes) AS said (key, value)
        WHERE coalesce(member.attributes -> key, 'null') <> value
    ) AS changed ON row.attributes IS NOT NULL
    WHERE {MINE} AND row.act = 'update'
) AS each
"""
_PAIRS = [
    *((field, f"row.{field}", f"member.{field}") for field in TEXTS),
    ("birthday", "row.birthday", BIRTHDAY),
    ("joined_at", "row.joined_at", "member.joined_at"),
]


def _differs(said: str, known: str, name: str) -> str:
    differs = f"{said} <> {known}"
    if name == "birthday":
        differs += f" AND ({said} NOT LIKE '%%/0/_' OR {said} <> regexp_replace({known}, '/\\d{{4}}/', '/0/'))"
    if name == "email":
        differs += f" AND {said} <> lower({known})"
    if name == "joined_at":  # files tell it to the minute
        differs = f"date_trunc('minute', {said}) <> date_trunc('minute', {known})"
    return differs


def _when_different(of: str, n: str, value: str) -> str:
    said, known = next((said, known) for name, said, known in _PAIRS if name == of)
    return f"'{n}', CASE WHEN {_differs(said, known, of)} THEN {value} END"


# A changed address is not verified any more; to take it back, one must know that it was.
_VERIFIED = [_when_different(of, f"{of}_verified_at", f"member.{of}_verified_at") for of in ("email", "phone")]
CHANGES = _DIFFERENCE.replace(
    "$before", ", ".join([*(_when_different(n, n, known) for n, _said, known in _PAIRS), *_VERIFIED])
).replace("$after", ", ".join(_when_different(n, n, said) for n, said, _known in _PAIRS))
