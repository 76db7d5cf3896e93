"""Limits of speed that hold for all workers on all hosts together: token buckets in PostgreSQL, by its clock.

A bucket of `most` in a period holds a tenth of it at once and fills by what is left, so that in no period, wherever it
begins, more than `most` leave.
"""

from collections.abc import Sequence
from typing import NamedTuple

from django.db import transaction

from common.sql import execute, fetch_all


class Limit(NamedTuple):
    """At most `most` in so many seconds. `name` is the bucket's."""

    name: str
    most: int
    seconds: int

    @property
    def holds(self) -> int:
        """What can leave at once."""
        return max(1, self.most // 10)

    @property
    def rate(self) -> float:
        """Tokens a second. In a half-open period at most holds + rate * seconds - 1 = most leave."""
        return (self.most - self.holds + 1) / self.seconds


def of_campaign(campaign_id: int, rate_per_minute: int) -> Limit:
    """A campaign's own limit."""
    return Limit(f"campaign:{campaign_id}", rate_per_minute, 60)


# SQL of the same for all at once: the tokens that the bucket of `campaign` holds now; its rate, in tokens a second.
OWN_BUCKET = "LEFT JOIN campaigns_bucket AS bucket ON bucket.name = 'campaign:' || campaign.id"
_HOLDS = "greatest(1, campaign.rate_per_minute / 10)"
OWN_RATE = f"((campaign.rate_per_minute - {_HOLDS} + 1) / 60.0)::float"
OWN_TOKENS = f"""least({_HOLDS}, coalesce(bucket.tokens
    + greatest(extract(epoch FROM clock_timestamp() - bucket.at), 0)::float * {OWN_RATE}, {_HOLDS}))"""


@transaction.atomic
def take(limits: Sequence[Limit]) -> float:
    """Takes a token from each bucket, or from none: then the seconds until there are some."""
    if not limits:
        return 0.0
    execute(
        "INSERT INTO campaigns_bucket (name, tokens, at)"
        " SELECT name, tokens, clock_timestamp() FROM unnest(%s::text[], %s::float[]) AS new (name, tokens)"
        " ON CONFLICT DO NOTHING",
        [[limit.name for limit in limits], [limit.holds for limit in limits]],
    )
    rows = fetch_all(
        "SELECT name, tokens, greatest(extract(epoch FROM clock_timestamp() - at), 0)::float FROM campaigns_bucket"
        " WHERE name = ANY(%s) ORDER BY name FOR UPDATE",
        [[limit.name for limit in limits]],
    )
    held = {name: (tokens, past) for name, tokens, past in rows}
    # Numbers of one kind: a bucket that is full beside one that is not would be a list that psycopg refuses.
    full = [float(min(limit.holds, held[limit.name][0] + held[limit.name][1] * limit.rate)) for limit in limits]
    wait = max((1 - tokens) / limit.rate for tokens, limit in zip(full, limits, strict=True))
    if wait > 0:
        return wait
    execute(
        "UPDATE campaigns_bucket AS bucket SET tokens = new.tokens, at = clock_timestamp()"
        " FROM unnest(%s::text[], %s::float[]) AS new (name, tokens) WHERE bucket.name = new.name",
        [[limit.name for limit in limits], [tokens - 1 for tokens in full]],
    )
    return 0.0
