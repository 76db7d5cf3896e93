"""What members buy, written down once however often it is told. One statement serves one purchase or thousands.

Points for purchases are given by rewards.services.purchases, which calls this.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from hashlib import md5
from typing import Any

import pgtrigger
from django.db import transaction

from common.sql import execute, fetch_all, fetch_prepared
from members import events
from members.queries import ever_with


class KeyReused(Exception):
    """The key is known, with another content. `args[0]` is the key."""


MOST_MINOR = 10**15  # minor units of any currency: beyond it no purchase is meant


class AmountOutOfRange(Exception):
    """A purchase below 0 or above MOST_MINOR, or with a line beyond it: its `key`, and the amount in minor units."""

    def __init__(self, *, key: str, amount_minor: int) -> None:
        super().__init__(key, amount_minor)
        self.key = key
        self.amount_minor = amount_minor


@dataclass(frozen=True, slots=True)
class NewLine:
    """One kind of thing bought. `amount_minor` is the price of the whole line, `discount_minor` what was taken off
    before."""

    amount_minor: int
    sku: str = ""
    name: str = ""
    category: str = ""
    quantity: Decimal = Decimal(1)
    brand: str = ""
    discount_minor: int = 0


@dataclass(frozen=True, slots=True)
class NewPurchase:
    """A purchase as an outside system tells it. (`source`, `key`) names it for ever; amounts from 0 to MOST_MINOR.

    `told`, where it is not empty, is what was reported, for the fingerprint, in the place of what is recorded: a
    checkout works out amounts itself.
    """

    member_id: int
    source: str
    key: str
    purchased_at: datetime
    currency: str
    amount_minor: int
    store: str = ""
    channel: str = "store"
    lines: tuple[NewLine, ...] = ()
    told: str = ""


@dataclass(frozen=True, slots=True)
class RecordedPurchase:
    """What became of a NewPurchase: its id, whether it was new, and whether its key is known with another content;
    the ids of its lines, in their order, where it was new."""

    id: int
    is_new: bool
    is_reused: bool = False
    line_ids: tuple[int, ...] = ()


# `input` has the columns of INPUT_COLUMNS; `lines` is a JSON array of line objects, '[]' for none.
INPUT_COLUMNS = "member_id, source, key, purchased_at, currency, amount_minor, store, channel, lines"
_FINGERPRINT = """
md5(CASE WHEN told = '' THEN concat_ws('|', member_id, currency, amount_minor, extract(epoch FROM purchased_at), store,
                                       channel, lines)
         ELSE concat_ws('|', member_id, told) END)::uuid
"""
_SOURCE = """
source AS (
    SELECT member_id, purchased_at AS at,
           jsonb_build_object('purchase', id, 'amount_minor', amount_minor, 'currency', currency,
                              'store', store) AS data
    FROM added
),
"""
_RECORD = f"""
WITH input ({INPUT_COLUMNS}, told) AS ({{select}}),
printed AS (
    SELECT *, {_FINGERPRINT} AS fingerprint FROM input
),
added AS (
    INSERT INTO members_purchase
        (member_id, source, key, fingerprint, purchased_at, currency, amount_minor, store, channel)
    SELECT member_id, source, key, fingerprint, purchased_at, currency, amount_minor, store, channel FROM printed
    ORDER BY source, key  -- two batches that tell the same in another order must not lock each other up
    ON CONFLICT (source, key) DO NOTHING
    RETURNING id, source, key, member_id, purchased_at, amount_minor, currency, store
),
lined AS (
    INSERT INTO members_purchaseline (purchase_id, sku, name, category, brand, quantity, amount_minor, discount_minor)
    SELECT added.id, line.sku, line.name, line.category, coalesce(line.brand, ''), line.quantity, line.amount_minor,
           coalesce(line.discount_minor, 0)
    FROM added JOIN printed USING (source, key),
         jsonb_to_recordset(printed.lines) AS line (sku text, name text, category text, brand text, quantity numeric,
                                                    amount_minor bigint, discount_minor bigint)
    WHERE printed.lines <> '[]'
    RETURNING id, purchase_id
),
{_SOURCE}
{events.RECORDING}
{{answer}}
"""
# For a statement that writes purchases and what follows from them: their ids, and those of the lines, were drawn before
# by DRAWN. `whole` has a row if all of them are new: what follows hangs on it. Parameters: `writing`.
DRAWN = """
ARRAY(SELECT nextval('members_purchase_id_seq') FROM generate_series(1, %(purchases)s::int)),
ARRAY(SELECT nextval('members_purchaseline_id_seq') FROM generate_series(1, %(lines)s::int))
"""
WRITING = f"""
added AS (
    INSERT INTO members_purchase
        (id, member_id, source, key, fingerprint, purchased_at, currency, amount_minor, store, channel)
    SELECT * FROM unnest(
        %(told_id)s::bigint[], %(told_member)s::bigint[], %(told_source)s::text[], %(told_key)s::text[],
        %(told_print)s::uuid[], %(told_at)s::timestamptz[], %(told_currency)s::text[], %(told_amount)s::bigint[],
        %(told_store)s::text[], %(told_channel)s::text[]
    ) AS told (id, member_id, source, key, fingerprint, purchased_at, currency, amount_minor, store, channel)
    ORDER BY source, key  -- as in _RECORD
    ON CONFLICT (source, key) DO NOTHING
    RETURNING id, member_id, purchased_at, amount_minor, currency, store
),
lined AS (
    INSERT INTO members_purchaseline
        (id, purchase_id, sku, name, category, brand, quantity, amount_minor, discount_minor)
    SELECT * FROM unnest(
        %(line_id)s::bigint[], %(line_purchase)s::bigint[], %(line_sku)s::text[], %(line_name)s::text[],
        %(line_category)s::text[], %(line_brand)s::text[], %(line_quantity)s::numeric[], %(line_amount)s::bigint[],
        %(line_discount)s::bigint[]
    ) AS line (id, purchase_id, sku, name, category, brand, quantity, amount_minor, discount_minor)
    WHERE purchase_id IN (SELECT id FROM added)
),
{_SOURCE}
{events.RECORDING},
whole AS MATERIALIZED (
    SELECT true AS is_whole WHERE (SELECT count(*) FROM added) = cardinality(%(told_id)s::bigint[])
)
"""
# The same for one alone, of which it is taken for granted that it is new: IntegrityError where it is not. Parameters:
# `writing_alone`.
WRITING_ALONE = f"""
added AS (
    INSERT INTO members_purchase
        (id, member_id, source, key, fingerprint, purchased_at, currency, amount_minor, store, channel)
    VALUES (%(told_id)s::bigint, %(told_member)s::bigint, %(told_source)s, %(told_key)s, %(told_print)s::uuid,
            %(told_at)s::timestamptz, %(told_currency)s::text, %(told_amount)s::bigint, %(told_store)s::text,
            %(told_channel)s)
),
lined AS (
    INSERT INTO members_purchaseline
        (id, purchase_id, sku, name, category, brand, quantity, amount_minor, discount_minor)
    SELECT id, %(told_id)s::bigint, sku, name, category, brand, quantity, amount_minor, discount_minor
    FROM unnest(%(line_id)s::bigint[], %(line_sku)s::text[], %(line_name)s::text[], %(line_category)s::text[],
                %(line_brand)s::text[], %(line_quantity)s::numeric[], %(line_amount)s::bigint[],
                %(line_discount)s::bigint[])
        AS line (id, sku, name, category, brand, quantity, amount_minor, discount_minor)
),
source AS (
    SELECT %(told_member)s::bigint AS member_id, %(told_at)s::timestamptz AS at,
           jsonb_build_object('purchase', %(told_id)s::bigint, 'amount_minor', %(told_amount)s::bigint,
                              'currency', %(told_currency)s::text, 'store', %(told_store)s::text) AS data
),
{events.RECORDING}
"""
_EACH = """
SELECT added.id, source, key, printed.fingerprint, lines.ids
FROM printed LEFT JOIN added USING (source, key)
LEFT JOIN (SELECT purchase_id, array_agg(id ORDER BY id) AS ids FROM lined GROUP BY purchase_id) AS lines
    ON lines.purchase_id = added.id
"""
_ADDED = "SELECT id FROM added"
_MERGED = """
members_purchase AS purchase JOIN members_member AS buyer
    ON buyer.id = purchase.member_id AND buyer.merged_into_id IS NOT NULL
WHERE purchase.id = ANY(%s)
"""
_FOLLOW = f"""
UPDATE members_purchase AS moved SET member_id = told.now
FROM (SELECT purchase.id, buyer.merged_into_id AS now FROM {_MERGED}) AS told WHERE moved.id = told.id
"""
_FOLLOW_EVENTS = f"""
UPDATE members_timelineevent AS event SET member_id = told.now
FROM (SELECT purchase.id, purchase.purchased_at, buyer.id AS buyer, buyer.merged_into_id AS now FROM {_MERGED}) AS told
WHERE event.member_id = told.buyer AND event.kind = %s AND event.at = told.purchased_at
  AND (event.data->>'purchase')::bigint = told.id
"""


@transaction.atomic
def record_purchases(*, purchases: Sequence[NewPurchase], actor_id: int | None = None) -> list[RecordedPurchase]:
    """Records purchases, in the order given; a known key with the same content is answered as before.

    KeyReused where a known key comes with another content, AmountOutOfRange: then nothing is recorded.
    """
    recorded = record_each(purchases=purchases, actor_id=actor_id)
    for told, was in zip(purchases, recorded, strict=True):
        if was.is_reused:
            raise KeyReused(told.key)
    return recorded


def _check_amounts(purchases: Sequence[NewPurchase]) -> None:
    for told in purchases:
        for amount, least in ((told.amount_minor, 0), *((line.amount_minor, -MOST_MINOR) for line in told.lines)):
            if not least <= amount <= MOST_MINOR:
                raise AmountOutOfRange(key=told.key, amount_minor=amount)


def record_each(*, purchases: Sequence[NewPurchase], actor_id: int | None = None) -> list[RecordedPurchase]:
    """As record_purchases; where a known key comes with another content, its answer says so and the others stand.
    Runs in the caller's transaction."""
    _check_amounts(purchases)
    if len({(p.source, p.key) for p in purchases}) != len(purchases):
        raise ValueError("a key stands twice in one call")
    rows = _record(_EACH, _TOLD, _columns(purchases), actor_id)
    found = {(source, key): (id_, fingerprint, lines) for id_, source, key, fingerprint, lines in rows}
    stored = _stored([pair for pair, (id_, *_) in found.items() if id_ is None])
    answers = []
    for told in purchases:
        pair = (told.source, told.key)
        id_, fingerprint, lines = found[pair]
        new = id_ is not None
        answers.append(
            RecordedPurchase(id_, True, line_ids=tuple(lines or ())) if new else _known(told, fingerprint, stored[pair])
        )
    return answers


def writing(
    purchases: Sequence[NewPurchase], drawn: Sequence[RecordedPurchase], actor_id: int | None
) -> dict[str, Any]:
    """The parameters of WRITING: purchases that say what was `told`, each with the ids that were drawn for it."""
    _check_amounts(purchases)
    lines = [
        (id_, was.id, line)
        for told, was in zip(purchases, drawn, strict=True)
        for id_, line in zip(was.line_ids, told.lines, strict=True)
    ]
    return {
        **events.recording(events.PURCHASE_PAID, actor_id),
        "told_id": [was.id for was in drawn],
        "told_member": [p.member_id for p in purchases],
        "told_source": [p.source for p in purchases],
        "told_key": [p.key for p in purchases],
        # As _FINGERPRINT has it.
        "told_print": [md5(f"{p.member_id}|{p.told}".encode(), usedforsecurity=False).hexdigest() for p in purchases],
        "told_at": [p.purchased_at for p in purchases],
        "told_currency": [p.currency for p in purchases],
        "told_amount": [p.amount_minor for p in purchases],
        "told_store": [p.store for p in purchases],
        "told_channel": [p.channel for p in purchases],
        "line_id": [id_ for id_, _purchase, _line in lines],
        "line_purchase": [purchase for _id, purchase, _line in lines],
        "line_sku": [line.sku for *_ids, line in lines],
        "line_name": [line.name for *_ids, line in lines],
        "line_category": [line.category for *_ids, line in lines],
        "line_brand": [line.brand for *_ids, line in lines],
        "line_quantity": [line.quantity for *_ids, line in lines],
        "line_amount": [line.amount_minor for *_ids, line in lines],
        "line_discount": [line.discount_minor for *_ids, line in lines],
    }


def writing_alone(told: NewPurchase, drawn: RecordedPurchase, actor_id: int | None) -> dict[str, Any]:
    """The parameters of WRITING_ALONE."""
    many = writing([told], [drawn], actor_id)
    return {name: value[0] if name.startswith("told_") else value for name, value in many.items()}


def written(
    purchases: Sequence[NewPurchase], drawn: Sequence[RecordedPurchase], added: Collection[int]
) -> list[RecordedPurchase]:
    """What became of purchases of which a statement with WRITING has added these ids."""
    stored = _stored([(p.source, p.key) for p, was in zip(purchases, drawn, strict=True) if was.id not in added])
    return [
        was if was.id in added else _known(told, _prints([told])[0][0], stored[told.source, told.key])
        for told, was in zip(purchases, drawn, strict=True)
    ]


def known_purchase(*, told: NewPurchase) -> RecordedPurchase | None:
    """What became of a purchase when it was told before; None where its key is new."""
    stored = _stored([(told.source, told.key)])
    return _known(told, _prints([told])[0][0], stored[told.source, told.key]) if stored else None


def _known(told: NewPurchase, fingerprint: Any, stored: tuple[int, Any]) -> RecordedPurchase:
    id_, was = stored
    return RecordedPurchase(id_, False, not (was == fingerprint or was in _earlier_fingerprints(told)))


_TOLD = """
SELECT * FROM unnest(%(member)s::bigint[], %(source)s::text[], %(key)s::text[], %(at)s::timestamptz[],
                     %(currency)s::text[], %(amount)s::bigint[], %(store)s::text[], %(channel)s::text[],
                     %(lines)s::jsonb[], %(told)s::text[])
"""


def _columns(purchases: Sequence[NewPurchase]) -> dict[str, list]:
    return {
        "member": [p.member_id for p in purchases],
        "source": [p.source for p in purchases],
        "key": [p.key for p in purchases],
        "at": [p.purchased_at for p in purchases],
        "currency": [p.currency for p in purchases],
        "amount": [p.amount_minor for p in purchases],
        "store": [p.store for p in purchases],
        "channel": [p.channel for p in purchases],
        "lines": [json.dumps([_told(line) for line in p.lines], default=str) for p in purchases],
        "told": [p.told for p in purchases],
    }


def _told(line: NewLine) -> dict[str, Any]:
    """A line as its purchase's fingerprint has it. What has no brand reads as it did before there were brands."""
    told: dict[str, Any] = {
        "amount_minor": line.amount_minor,
        "sku": line.sku,
        "name": line.name,
        "category": line.category,
        "quantity": line.quantity,
    }
    if line.brand:
        told["brand"] = line.brand
    if line.discount_minor:
        told["discount_minor"] = line.discount_minor
    return told


def _prints(purchases: Sequence[NewPurchase]) -> list[tuple]:
    """The fingerprints of purchases as they would be recorded."""
    return fetch_all(f"SELECT {_FINGERPRINT} FROM ({_TOLD}) AS input ({INPUT_COLUMNS}, told)", _columns(purchases))


@transaction.atomic
def record_selected(*, select: str, params: dict[str, Any], actor_id: int | None = None) -> list[int]:
    """Records the rows of an SQL query with INPUT_COLUMNS; the ids of those that were new."""
    return [row[0] for row in _record(_ADDED, f"SELECT *, '' FROM ({select}) AS told", params, actor_id)]


def _record(answer: str, select: str, params: dict[str, Any], actor_id: int | None) -> list[tuple]:
    fetch = fetch_prepared if select is _TOLD else fetch_all
    told = events.recording(events.PURCHASE_PAID, actor_id)
    return fetch(events.complete(_RECORD).format(select=select, answer=answer), {**params, **told})


def _earlier_fingerprints(told: NewPurchase) -> list[Any]:
    """What was reported under the names that the buyer had before a merge, or has no longer since one was undone."""
    others = [member_id for member_id in ever_with([told.member_id]) if member_id != told.member_id]
    return [row[0] for row in _prints([replace(told, member_id=other) for other in others])] if others else []


def follow_merges(*, purchase_ids: Sequence[int]) -> None:
    """Gives purchases that were reported for a merged member, and their events, to who that member is now."""
    with pgtrigger.ignore("members.Purchase:read_only", "members.TimelineEvent:append_only"):
        execute(_FOLLOW_EVENTS, [list(purchase_ids), events.PURCHASE_PAID])
        execute(_FOLLOW, [list(purchase_ids)])


def _stored(pairs: list[tuple[str, str]]) -> dict[tuple[str, str], tuple[int, Any]]:
    if not pairs:
        return {}
    sources, keys = zip(*pairs, strict=True)
    rows = fetch_all(
        "SELECT source, key, id, fingerprint FROM members_purchase"
        " WHERE (source, key) IN (SELECT * FROM unnest(%s::text[], %s::text[]))",
        [list(sources), list(keys)],
    )
    return {(source, key): (id_, fingerprint) for source, key, id_, fingerprint in rows}
