"""Articles in a message: those that most members bought, or for each member what goes with their purchases, as other
members' show it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Any

from django.utils.translation import gettext

from campaigns.content.frame import Drawn, Page, labelled, mail_text, register_drawing, words_of
from campaigns.merge import Recipient, register_family
from campaigns.merge_fields import one_line
from common.sql import fetch_all

MOST_PRODUCTS = 5
BOUGHT_SINCE = timedelta(days=90)

# Of the latest purchases, so that it costs the same however many there are; articles are told apart by their name. Two
# articles are alike by the share of members who bought both (the cosine of their buyers), of at least two members.
# Nobody is offered what they bought, or gave back, within a year. Who lacks purchases, or articles that go with them,
# is offered what most members bought.
_RECOMMENDED = """
WITH lately AS (
    SELECT id, member_id FROM members_purchase
    WHERE purchased_at <= %(at)s AND (refunded_minor < amount_minor OR amount_minor = 0)
    ORDER BY purchased_at DESC, id LIMIT 10000
),
bought AS MATERIALIZED (
    SELECT lately.member_id, lower(line.name) AS item, min(line.name COLLATE "C") AS name
    FROM lately JOIN members_purchaseline AS line ON line.purchase_id = lately.id WHERE line.name <> ''
    GROUP BY lately.member_id, lower(line.name)
),
popular AS MATERIALIZED (SELECT item, min(name COLLATE "C") AS name, count(*) AS members FROM bought GROUP BY item),
mine AS MATERIALIZED (
    SELECT DISTINCT purchase.member_id, lower(line.name) AS item
    FROM members_purchase AS purchase JOIN members_purchaseline AS line ON line.purchase_id = purchase.id
    WHERE purchase.member_id = ANY(%(members)s::bigint[]) AND purchase.purchased_at <= %(at)s
      AND purchase.purchased_at > %(at)s::timestamptz - interval '1 year' AND line.name <> ''
),
together AS MATERIALIZED (
    SELECT one.item, other.item AS other, count(*) / sqrt(max(of_one.members) * max(of_other.members)) AS likeness
    FROM bought AS one JOIN bought AS other ON other.member_id = one.member_id AND other.item <> one.item
    JOIN popular AS of_one ON of_one.item = one.item JOIN popular AS of_other ON of_other.item = other.item
    WHERE one.item IN (SELECT item FROM mine)
    GROUP BY one.item, other.item HAVING count(*) > 1
),
candidate AS (
    SELECT mine.member_id, together.other AS item, together.likeness FROM mine JOIN together USING (item)
    UNION ALL
    SELECT member_id, item, 0
    FROM unnest(%(members)s::bigint[]) AS member_id,
         (SELECT item FROM popular ORDER BY members DESC, item LIMIT 25) AS most
),
ranked AS (
    SELECT candidate.member_id, popular.name, row_number() OVER (
        PARTITION BY candidate.member_id
        ORDER BY sum(candidate.likeness)::numeric(12, 6) DESC, popular.members DESC, popular.item
    ) AS place
    FROM candidate JOIN popular USING (item)
    WHERE NOT EXISTS (SELECT FROM mine WHERE mine.member_id = candidate.member_id AND mine.item = candidate.item)
    GROUP BY candidate.member_id, popular.item, popular.name, popular.members
)
SELECT member_id, array_agg(name ORDER BY place) FROM ranked WHERE place <= %(most)s GROUP BY member_id
"""


def most_bought(category: str, at: datetime) -> list[str]:
    """The names of what most members bought in the last 90 days, of one category or of all. One member who bought much
    counts once."""
    rows = fetch_all(
        """
        SELECT max(line.name), count(DISTINCT purchase.member_id) AS members
        FROM members_purchaseline AS line JOIN members_purchase AS purchase ON purchase.id = line.purchase_id
        WHERE purchase.purchased_at > %(since)s AND purchase.purchased_at <= %(at)s AND line.name <> ''
          AND (%(category)s::text = '' OR line.category = %(category)s::text)
        GROUP BY lower(line.name) ORDER BY members DESC, max(line.name) LIMIT %(most)s
        """,
        {"since": at - BOUGHT_SINCE, "at": at, "category": category, "most": MOST_PRODUCTS},
    )
    return [one_line(name) for name, _members in rows]


def recommended(members: Sequence[int], at: datetime) -> dict[int, list[str]]:
    """The names of up to five articles for each of these members, what fits best first."""
    rows = fetch_all(_RECOMMENDED, {"members": list(set(members)), "at": at, "most": MOST_PRODUCTS})
    return {member_id: [one_line(name) for name in names] for member_id, names in rows}


def _own(recipients: Sequence[Recipient], what: str) -> list[Mapping[str, Any]]:
    """`products_own`."""
    found = recommended([recipient.member.pk for recipient in recipients if recipient.member.pk], recipients[0].at)
    return [{"all": found.get(recipient.member.pk, [])} for recipient in recipients]


@register_drawing("products")
def _drawn(block: Mapping[str, Any], page: Page) -> Drawn:
    if block.get("which") == "own":
        return _own_drawn(words_of(block, "label", page) or gettext("This may be for you"), page)
    label = words_of(block, "label", page) or gettext("What others like")
    names = most_bought(block["category"], page.at)
    if not names:
        return Drawn()
    safe = "".join(f"<li>{page.tags.hide(escape(name))}</li>" for name in names)
    plain = "".join(f"- {page.tags.hide(name)}\n" for name in names)
    return Drawn(
        mail_text(f"<p><strong>{page.line(label)}</strong></p><ul>{safe}</ul>"),
        f"{labelled(page.bare(label), '').rstrip()}\n{plain}\n",
        f"<h3>{page.line(label)}</h3><ul>{safe}</ul>",
    )


def _own_drawn(label: str, page: Page) -> Drawn:
    path, name = "products_own.all", page.put("name")
    items = page.each("name", path, f"<li>{name}</li>")
    plain = labelled(page.bare(label), "").rstrip() + "\n" + page.each("name", path, f"- {name}\n") + "\n"
    there = f"{path}.size > 0"
    return Drawn(
        mail_text(page.when(there, f"<p><strong>{page.line(label)}</strong></p><ul>{items}</ul>")),
        page.when(there, plain),
        page.when(there, f"<h3>{page.line(label)}</h3><ul>{items}</ul>"),
    )


def register_all() -> None:
    """Called once, when the app is ready."""
    register_family("products", _own)
