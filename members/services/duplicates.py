"""Finding members who seem to be one person, among all or among those who changed; and saying that two are two.

Pairs come from blocks: members who share a mailbox, a phone, a birthday with the beginning of a name, an address. So
no member is compared with all others, and what is too common to tell people apart (MOST_ALIKE) compares nobody.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction

from common.sql import execute, fetch_all, try_lock
from members.enums import DuplicateState
from members.models import Duplicate, Member
from members.queries import family, find_member, search
from members.similarity import ALIKE, DOTS, PLUS, REASONS, SHOWN_FROM, likelihood, mailbox, name_key

MOST_ALIKE = 60  # members in a block: more than that share a switchboard's number, not a person's
CANDIDATES = 5


class Scanned(NamedTuple):
    """Pairs that are open after a scan because of it: new ones, and those that came back with new reasons; how many
    were dropped, for nothing speaks for them any more."""

    found: int
    reopened: int
    dropped: int


_PEOPLE = """
CREATE TEMPORARY TABLE duplicate_person ON COMMIT DROP AS
SELECT member.id, named.key, named.words, named.key ~ '[㐀-鿿]' AS chinese, member.birthday_year AS year,
       (%(since)s::timestamptz IS NULL OR member.updated_at >= %(since)s OR member.id = ANY(%(changed)s)) AS is_new,
       lower(member.email) AS email, member.phone, member.household_id,
       CASE WHEN member.birthday_month IS NOT NULL THEN concat_ws('.', member.birthday_calendar, member.birthday_month,
            member.birthday_day, member.birthday_leap_month) END AS birthday,
       regexp_replace(lower(member.street), '[^[:alnum:]]', '', 'g') AS street,
       regexp_replace(lower(member.postal_code), '[^[:alnum:]]', '', 'g') AS postal_code
FROM members_member AS member
CROSS JOIN LATERAL (
    SELECT regexp_replace(normalize(lower(member.name), NFKD), '[\u0300-\u036f]', '', 'g') AS plain
) AS spelt
CROSS JOIN LATERAL (
    SELECT coalesce(string_agg(word[1], ' ' ORDER BY word[1]), '') AS key, array_agg(word[1]) AS words
    -- A Chinese name is compared by its characters: which of them is the family's, people write either way.
    FROM regexp_matches(spelt.plain, CASE WHEN spelt.plain ~ '[㐀-鿿]' THEN '[[:alpha:]]' ELSE '[[:alpha:]]+' END, 'g')
        AS word
) AS named
WHERE member.merged_into_id IS NULL AND member.erased_at IS NULL
"""
_MAILBOX = """
CASE WHEN split_part({0}, '@', 2) = ANY(%(dots)s)
     THEN replace(split_part(split_part({0}, '@', 1), '+', 1), '.', '') || '@gmail.com'
     WHEN split_part({0}, '@', 2) = ANY(%(plus)s)
     THEN split_part(split_part({0}, '@', 1), '+', 1) || '@' || split_part({0}, '@', 2)
     ELSE {0} END
"""
# A zero that belongs behind a country's code only at home: +49 (0)30 … as many forms write it down.
_TRUNK = r"regexp_replace({0}, '^\+(49|44|43|41|33|31|32|86|61)0+', '+\1')"
_BLOCKS = f"""
CREATE TEMPORARY TABLE duplicate_block ON COMMIT DROP AS
WITH contact AS (
    SELECT id AS member_id, 'email' AS system, email AS value FROM duplicate_person WHERE email <> ''
    UNION ALL SELECT id, 'phone', phone FROM duplicate_person WHERE phone <> ''
    UNION ALL SELECT identity.member_id, identity.system, identity.value
    FROM members_identity AS identity JOIN duplicate_person AS person ON person.id = identity.member_id
),
-- Alike names begin alike in one of their words, or a word of one is misspelt while another is right.
beginning AS (
    SELECT id, birthday, postal_code, CASE WHEN chinese THEN key ELSE left(word, 3) END AS start
    FROM duplicate_person, unnest(words) AS word
)
SELECT DISTINCT * FROM (
    SELECT 'email' AS code, {_MAILBOX.format("value")} AS value, member_id FROM contact WHERE system = 'email'
    UNION ALL SELECT 'phone', {_TRUNK.format("value")}, member_id FROM contact WHERE system = 'phone'
    UNION ALL SELECT 'phone_like', right(value, 9), member_id FROM contact WHERE system = 'phone' AND length(value) > 9
    UNION ALL SELECT 'number', value, member_id FROM contact
              WHERE system NOT IN ('email', 'phone', 'card') AND length(value) >= 4
    UNION ALL SELECT 'birthday', birthday || ' ' || start, id FROM beginning WHERE birthday IS NOT NULL
    UNION ALL SELECT 'address', postal_code || ' ' || street, id FROM duplicate_person
              WHERE street <> '' AND postal_code <> ''
    UNION ALL SELECT 'postcode', postal_code || ' ' || start, id FROM beginning WHERE postal_code <> ''
    UNION ALL SELECT 'household', household_id::text, id FROM duplicate_person WHERE household_id IS NOT NULL
) AS said
"""
_COMMON = """
DELETE FROM duplicate_block AS block USING (
    SELECT code, value FROM duplicate_block GROUP BY code, value HAVING count(*) NOT BETWEEN 2 AND %(most)s
) AS common WHERE block.code = common.code AND block.value = common.value
"""
_PAIRS = """
CREATE TEMPORARY TABLE duplicate_pair ON COMMIT DROP AS
SELECT first_id, second_id, jsonb_agg(jsonb_build_object('code', code) ORDER BY points DESC, code) AS reasons,
       least(99, round(100 * (1 - exp(sum(ln(1 - points / 100.0))))))::smallint AS score
FROM (
    SELECT *, array_agg(code) OVER (PARTITION BY first_id, second_id) AS codes FROM (
    SELECT DISTINCT one.member_id AS first_id, two.member_id AS second_id, one.code
    FROM duplicate_block AS one
    JOIN duplicate_block AS two ON two.code = one.code AND two.value = one.value AND two.member_id > one.member_id
    JOIN duplicate_person AS a ON a.id = one.member_id
    JOIN duplicate_person AS b ON b.id = two.member_id
    WHERE (a.is_new OR b.is_new)
      AND (one.code IN ('email', 'phone')
           OR (a.key <> '' AND (a.key = b.key OR (NOT a.chinese AND similarity(a.key, b.key) >= %(alike)s))))
      AND (one.code <> 'birthday' OR a.year IS NULL OR b.year IS NULL OR a.year = b.year)
    ) AS found
) AS found
JOIN unnest(%(codes)s::text[], %(points)s::int[]) AS reason (code, points) USING (code)
-- The same number is like itself, and the same address has the same postal code: that speaks for it once.
WHERE NOT (code = 'phone_like' AND 'phone' = ANY(codes)) AND NOT (code = 'postcode' AND 'address' = ANY(codes))
GROUP BY first_id, second_id
"""
_DROP = """
DELETE FROM members_duplicate AS pair USING duplicate_person AS a, duplicate_person AS b
WHERE pair.state = 'open' AND a.id = pair.first_id AND b.id = pair.second_id AND (a.is_new OR b.is_new)
  AND NOT EXISTS (SELECT FROM duplicate_pair AS found
                  WHERE (found.first_id, found.second_id) = (a.id, b.id) AND found.score >= %(shown)s)
"""
# A pair that was settled comes back only where something speaks for it that did not then.
_KEEP = """
WITH kept AS (
    INSERT INTO members_duplicate AS pair (first_id, second_id, reasons, score, state, found_at)
    SELECT first_id, second_id, reasons, score, 'open', %(at)s FROM duplicate_pair WHERE score >= %(shown)s
    ON CONFLICT (first_id, second_id) DO UPDATE
    SET reasons = excluded.reasons, score = excluded.score, state = 'open', settled_at = NULL, settled_by_id = NULL,
        found_at = CASE WHEN pair.state = 'open' THEN pair.found_at ELSE excluded.found_at END
    WHERE CASE WHEN pair.state = 'open' THEN pair.reasons <> excluded.reasons
               ELSE NOT excluded.reasons <@ pair.reasons END
    RETURNING xmax = 0 AS is_new, found_at
)
SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new AND found_at = %(at)s) FROM kept
"""


@transaction.atomic
def scan(*, at: datetime, since: datetime | None = None, member_ids: Sequence[int] = ()) -> Scanned:
    """Looks for likely duplicates: among all, or only pairs with somebody who changed since a moment, or with one of
    `member_ids`. What is open and no longer likely is dropped; who was said to be two people stays so. Does nothing
    while another scan runs."""
    if not try_lock("members.duplicates"):
        return Scanned(0, 0, 0)
    if member_ids and since is None:
        since = at
    params: dict[str, Any] = {
        "at": at,
        "since": since,
        "changed": list(member_ids),
        "plus": PLUS,
        "dots": DOTS,
        "most": MOST_ALIKE,
        "alike": ALIKE,
        "codes": list(REASONS),
        "points": [points for points, _sentence in REASONS.values()],
        "shown": SHOWN_FROM,
    }
    for statement in (_PEOPLE, _BLOCKS, _COMMON, "CREATE INDEX ON duplicate_block (code, value)"):
        execute(statement, params)
    execute("ANALYZE duplicate_person, duplicate_block")
    execute(_PAIRS, params)
    dropped = execute(_DROP, params)
    found, reopened = fetch_all(_KEEP, params)[0]
    execute("DROP TABLE duplicate_person, duplicate_block, duplicate_pair")
    return Scanned(found, reopened, dropped)


class NotOpen(Exception):
    """The pair was settled already: by a merge, or as two people."""


@transaction.atomic
def dismiss(*, duplicate_id: int, at: datetime, actor_id: int | None = None) -> Duplicate:
    """Says that two members are two people. They do not come up again unless more speaks for it. Twice is once.

    NotOpen where they have been merged; Duplicate.DoesNotExist.
    """
    pair = Duplicate.objects.select_for_update().get(pk=duplicate_id)
    if pair.state == DuplicateState.MERGED:
        raise NotOpen
    if pair.state == DuplicateState.OPEN:
        pair.state, pair.settled_at, pair.settled_by_id = DuplicateState.DISMISSED, at, actor_id
        pair.save(update_fields=["state", "settled_at", "settled_by"])
    return pair


class LookAlike(NamedTuple):
    """A member like the one described, and by what, likeliest first."""

    member: Member
    reasons: list[str]
    likelihood: int


def look_alikes(profile: dict[str, Any]) -> list[LookAlike]:
    """Present members who may be the person that a profile (PROFILE_FIELDS) describes; at most CANDIDATES."""
    address, name = str(profile.get("email") or ""), str(profile.get("name") or "")
    near = [find_member(email=mailbox(address))] if address else []
    near += [find_member(phone=str(profile["phone"]))] if profile.get("phone") else []
    members = {member.pk: member for member in near if member}
    for word in sorted(name.split(), key=len, reverse=True)[:2]:
        for member in search(word)[:200]:
            members.setdefault(member.pk, member)
    like = [LookAlike(m, reasons, likelihood(reasons)) for m in members.values() if (reasons := _reasons(profile, m))]
    likely = [one for one in like if one.likelihood >= SHOWN_FROM]
    return sorted(likely, key=lambda one: -one.likelihood)[:CANDIDATES]


def _reasons(profile: dict[str, Any], member: Member) -> list[str]:
    """What speaks for it that a member is the person described."""

    def same(*fields: str) -> bool:
        return all(profile.get(field) and str(profile[field]) == str(getattr(member, field)) for field in fields)

    said = []
    if profile.get("email"):
        theirs = [member.email, *member.identities.filter(system="email").values_list("value", flat=True)]
        if mailbox(str(profile["email"])) in {mailbox(value) for value in theirs if value}:
            said.append("email")
    if profile.get("phone") and find_member(phone=str(profile["phone"])) == member:
        said.append("phone")
    if name_key(str(profile.get("name") or "")) == name_key(member.name) != "":
        years = {profile.get("birthday_year"), member.birthday_year} - {None}
        if same("birthday_calendar", "birthday_month", "birthday_day") and len(years) < 2:
            said.append("birthday")
        if same("street", "postal_code"):
            said.append("address")
        elif same("postal_code"):
            said.append("postcode")
    return said


def forget(member_ids: Sequence[int]) -> None:
    """Takes away the pairs of members who are erased, and of whoever was merged into them."""
    ids = family(member_ids)
    Duplicate.objects.filter(first__in=ids).delete()
    Duplicate.objects.filter(second__in=ids).delete()
