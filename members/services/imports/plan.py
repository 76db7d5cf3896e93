"""The plan of an import: for every row whose purchase it is, under which key, or why it cannot come in.

All of it is SQL over the staged rows, with no row in Python.
"""

from common.sql import execute, fetch_all
from members.enums import ImportField
from members.models import PurchaseImport
from members.services.imports.cells import WHO
from members.services.imports.tables import tables

# One row for each way in which the file names a customer. It is known by its first row; `root` is the customer whom
# it really is, where two ways lead to one.
_WHO = """
CREATE UNLOGGED TABLE {who} AS
SELECT min(n) AS id, min(n) AS root, kind, ref, min(purchased_at) AS first_at, NULL::bigint AS member_id,
       NULL::text AS name, NULL::text AS email, NULL::text AS phone, false AS counted
FROM {row} WHERE problem IS NULL GROUP BY kind, ref
"""
# Statistics would say for ever that nobody is known, and make the planner join row by row.
_NO_STATISTICS = "ALTER TABLE {who} ALTER member_id SET STATISTICS 0"
# One look-up by index for each customer: a join would trust statistics that the import itself makes stale. `{only}`
# narrows it to some customers.
_FIND = """
UPDATE {{who}} AS who SET member_id = found.member_id
FROM (SELECT asked.id, ({select}) AS member_id FROM {{who}} AS asked
      WHERE asked.{column} <> '' AND asked.member_id IS NULL {{only}} OFFSET 0) AS found
WHERE who.id = found.id AND found.member_id IS NOT NULL
"""
# The card, address and phone in the member's own row come first, then the further ones (members.models.Identity).
_FURTHER = """
(SELECT identity.member_id FROM members_identity AS identity
 WHERE identity.system = '{system}' AND identity.value = asked.{column})
"""
FIND = {
    ImportField.CUSTOMER: _FIND.format(
        column="ref",
        select="""SELECT identity.member_id FROM members_identity AS identity
                  WHERE asked.kind = 'customer' AND identity.system = %(source)s AND identity.value = asked.ref""",
    ),
    ImportField.CARD: _FIND.format(
        column="ref",
        select=f"""CASE WHEN asked.kind = 'card' THEN coalesce(
                       (SELECT coalesce(member.merged_into_id, member.id) FROM members_member AS member
                        WHERE member.card_number = asked.ref), {_FURTHER.format(system="card", column="ref")}) END""",
    ),
    ImportField.EMAIL: _FIND.format(
        column="email",
        select=f"""coalesce((SELECT member.id FROM members_member AS member
                   WHERE member.email <> '' AND lower(member.email) = asked.email),
                   {_FURTHER.format(system="email", column="email")})""",
    ),
    ImportField.PHONE: _FIND.format(
        column="phone",
        select=f"""coalesce((SELECT member.id FROM members_member AS member
                   WHERE member.phone <> '' AND member.phone = asked.phone),
                   {_FURTHER.format(system="phone", column="phone")})""",
    ),
}
_NAMES = """
UPDATE {who} AS who SET name = named.name
FROM (SELECT DISTINCT ON (kind, ref) kind, ref, name FROM {row} WHERE name <> '' ORDER BY kind, ref, n) AS named
WHERE who.kind = named.kind AND who.ref = named.ref
"""
_OWN_CONTACT = "UPDATE {who} SET {kind} = ref WHERE kind = '{kind}'"
# A file that names customers in more than one way: what each is said to own, and whose that is.
_FACTS = (
    """
    CREATE UNLOGGED TABLE {fact} AS
    SELECT who.id AS who, said.kind, said.value, min(row.n) AS n, NULL::bigint AS member_id, 0 AS owner
    FROM {row} AS row JOIN {who} AS who USING (kind, ref),
         LATERAL (VALUES ('card', row.card), ('email', row.email), ('phone', row.phone)) AS said (kind, value)
    WHERE said.value <> '' AND row.problem IS NULL
    GROUP BY who.id, said.kind, said.value
    """,
    """
    UPDATE {fact} AS fact SET member_id = coalesce(member.merged_into_id, member.id) FROM members_member AS member
    WHERE fact.kind = 'card' AND member.card_number = fact.value
    """,
    # What we call further cards, addresses and phones is what a fact's kind is called.
    """
    UPDATE {fact} AS fact SET member_id = identity.member_id FROM members_identity AS identity
    WHERE fact.member_id IS NULL AND identity.system = fact.kind AND identity.value = fact.value
    """,
    """
    UPDATE {fact} AS fact SET member_id = member.id FROM members_member AS member
    WHERE fact.kind = 'email' AND member.email <> '' AND lower(member.email) = fact.value
    """,
    """
    UPDATE {fact} AS fact SET member_id = member.id FROM members_member AS member
    WHERE fact.kind = 'phone' AND member.phone <> '' AND member.phone = fact.value
    """,
    # An unknown customer number with a known card or contact is that member's, if the member has no number there yet
    # and no earlier row says so: a second number with the same e-mail is a mistake in the file, this time and the next.
    """
    UPDATE {who} AS who SET member_id = first.member_id
    FROM (SELECT DISTINCT ON (known.member_id) known.member_id, known.who
          FROM (SELECT DISTINCT ON (who) who, member_id FROM {fact} WHERE member_id IS NOT NULL
                ORDER BY who, kind, n) AS known
          JOIN {who} AS unknown ON unknown.id = known.who
          WHERE unknown.kind = 'customer' AND unknown.member_id IS NULL
            AND NOT EXISTS (SELECT FROM members_identity AS identity
                            WHERE identity.member_id = known.member_id AND identity.system = %(source)s)
          ORDER BY known.member_id, known.who) AS first
    WHERE who.id = first.who
    """,
    """
    UPDATE {who} AS who SET member_id = known.member_id
    FROM (SELECT DISTINCT ON (who) who, member_id FROM {fact} WHERE member_id IS NOT NULL
          ORDER BY who, kind, n) AS known
    WHERE who.id = known.who AND who.member_id IS NULL AND who.kind <> 'customer'
    """,
    # What no member owns belongs to the first who says so; those with a customer number come first.
    """
    UPDATE {fact} AS fact SET owner = first.owner
    FROM (SELECT fact.kind, fact.value,
                 (array_agg(who.id ORDER BY array_position(%(kinds)s::text[], who.kind), who.id))[1] AS owner
          FROM {fact} AS fact JOIN {who} AS who ON who.id = fact.who
          WHERE fact.member_id IS NULL GROUP BY fact.kind, fact.value) AS first
    WHERE fact.kind = first.kind AND fact.value = first.value
    """,
    """
    UPDATE {who} AS who SET root = fact.owner FROM {fact} AS fact
    WHERE who.kind IN ('email', 'phone') AND who.member_id IS NULL AND fact.who = who.id AND fact.kind = who.kind
    """,
    """
    UPDATE {who} AS who SET root = root.root FROM {who} AS root
    WHERE who.root = root.id AND root.root <> root.id
    """,
    """
    UPDATE {who} AS who SET member_id = root.member_id FROM {who} AS root
    WHERE who.root = root.id AND who.member_id IS NULL AND root.member_id IS NOT NULL
    """,
    """
    UPDATE {who} AS who SET email = own.value
    FROM (SELECT DISTINCT ON (owner) owner, value FROM {fact} WHERE kind = 'email' AND owner > 0
          ORDER BY owner, n) AS own
    WHERE who.id = own.owner
    """,
    """
    UPDATE {who} AS who SET phone = own.value
    FROM (SELECT DISTINCT ON (owner) owner, value FROM {fact} WHERE kind = 'phone' AND owner > 0
          ORDER BY owner, n) AS own
    WHERE who.id = own.owner
    """,
    """
    UPDATE {row} AS row
    SET problem = CASE WHEN fact.kind = 'card' AND fact.member_id IS NULL THEN 'card_unknown' ELSE 'contact_taken' END,
        params = jsonb_build_object('field', fact.kind, 'value', fact.value)
    FROM {fact} AS fact JOIN {who} AS who ON who.id = fact.who LEFT JOIN {who} AS owner ON owner.id = fact.owner
    WHERE row.problem IS NULL AND row.kind = who.kind AND row.ref = who.ref
      AND fact.value = CASE fact.kind WHEN 'card' THEN row.card WHEN 'email' THEN row.email ELSE row.phone END
      AND CASE WHEN fact.member_id IS NOT NULL THEN fact.member_id IS DISTINCT FROM who.member_id
               ELSE fact.kind = 'card' OR owner.root <> who.root END
    """,
)
_UNKNOWN_CARDS = """
UPDATE {row} AS row SET problem = 'card_unknown', params = jsonb_build_object('value', row.ref)
FROM {who} AS who WHERE row.kind = 'card' AND who.kind = 'card' AND who.ref = row.ref AND who.member_id IS NULL
"""
# Customers who are members already, as only their e-mail or phone tells: staff look at this before they say yes.
_BY_CONTACT = """
SELECT count(DISTINCT member_id) FROM {who} AS who WHERE member_id IS NOT NULL AND (
    kind IN ('email', 'phone') OR (kind = 'customer' AND NOT EXISTS (
        SELECT FROM members_identity AS identity WHERE identity.system = %(source)s AND identity.value = who.ref)))
"""
# Two ways that lead to one member are one customer.
_SAME_MEMBER = """
UPDATE {who} AS who SET root = first.root
FROM (SELECT member_id, min(root) AS root FROM {who} WHERE member_id IS NOT NULL
      GROUP BY member_id HAVING count(DISTINCT root) > 1) AS first
WHERE who.member_id = first.member_id
"""
# A row without a receipt number gets a key from what it says, and its place among rows that say the same. What does
# not tell one purchase from another, such as names, stays out: it may change from one export to the next.
_PLAN = """
CREATE UNLOGGED TABLE {plan} AS
WITH good AS (
    SELECT row.n, row.number, who.root AS who, row.purchased_at, coalesce(row.currency, %(currency)s) AS currency,
           row.amount, coalesce(row.store, '') AS store, coalesce(row.channel, 'store') AS channel,
           row.product, row.category, row.brand, row.quantity, coalesce(row.key, '') <> '' AS has_key,
           coalesce(nullif(row.key, ''), md5(ROW(row.kind, row.ref, extract(epoch FROM row.purchased_at),
               coalesce(row.currency, %(currency)s), row.amount, coalesce(row.store, ''))::text)) AS key
    FROM {row} AS row JOIN {who} AS who USING (kind, ref) WHERE row.problem IS NULL
),
placed AS (
    SELECT *, row_number() OVER same AS place, first_value(who) OVER same AS first_who,
           first_value(number) OVER same AS first_number,
           first_value(purchased_at) OVER same AS first_at, first_value(amount) OVER same AS first_amount,
           first_value(currency) OVER same AS first_currency
    FROM good WINDOW same AS (PARTITION BY has_key, key ORDER BY n)
)
SELECT n, number, who, purchased_at, currency, amount, store, channel, product, category, brand, quantity,
       CASE WHEN has_key OR place = 1 THEN key ELSE key || '-' || place END AS key,
       has_key AND place > 1 AS repeats,
       CASE WHEN NOT has_key OR place = 1 THEN NULL
            WHEN who <> first_who THEN 'key_of_another_in_file'
            WHEN (purchased_at, amount, currency) <> (first_at, first_amount, first_currency) THEN 'key_reused_in_file'
       END AS problem,
       CASE WHEN has_key AND place > 1 THEN jsonb_build_object('key', key, 'first', first_number,
                'amount_minor', first_amount, 'currency', first_currency, 'purchased_at', first_at,
                'time_zone', %(time_zone)s::text) END AS params,
       NULL::jsonb AS others
FROM placed
UNION ALL
SELECT n, number, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, problem, params, others
FROM {row} WHERE problem IS NOT NULL
ORDER BY 1
"""


def ways(purchase_import: PurchaseImport) -> list[ImportField]:
    """In which ways the file names its customers."""
    return [field for field in WHO if field in purchase_import.mapping]


def make_plan(purchase_import: PurchaseImport) -> None:
    """Makes the tables `who` and `plan` out of the staged rows, which then go. Runs in the caller's transaction."""
    names = tables(purchase_import)
    params = {"source": purchase_import.source, "currency": purchase_import.currency, "kinds": list(WHO)}
    params["time_zone"] = purchase_import.time_zone

    def run(*statements: str, **more: str) -> None:
        for statement in statements:
            execute(statement.format(**names, **more), params)

    used = ways(purchase_import)
    run("SET LOCAL work_mem = '64MB'", "ANALYZE {row}", _WHO, _NO_STATISTICS, "CREATE UNIQUE INDEX ON {who} (id)")
    for kind in (ImportField.EMAIL, ImportField.PHONE):
        if kind in used:
            run(_OWN_CONTACT, kind=kind)
    run("ANALYZE {who}", *(FIND[way] for way in used), only="")
    if len(used) > 1:
        run(*_FACTS)
    elif used == [ImportField.CARD]:
        run(_UNKNOWN_CARDS)
    if ImportField.NAME in purchase_import.mapping:
        run(_NAMES)
    if not purchase_import.posted_rows:
        found = fetch_all(_BY_CONTACT.format(**names), params)[0][0]
        PurchaseImport.objects.filter(pk=purchase_import.pk).update(by_contact=found)
    run(_SAME_MEMBER, "CREATE INDEX ON {who} (root)", _PLAN, "CREATE UNIQUE INDEX ON {plan} (n)", "ANALYZE {plan}")
    run("DROP TABLE {row}", "DROP TABLE IF EXISTS {fact}")
