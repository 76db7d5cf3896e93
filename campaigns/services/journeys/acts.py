"""What a step does to those who come to it, for all of them at once. Runs within the transaction that moves them on.

Each act gives, for every way by its id, how it went on: which exit, what is written down of it, and why.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.utils.translation import gettext_noop

from campaigns.enums import Medium
from campaigns.journeys import dates
from campaigns.journeys.definition import Journey as Definition
from campaigns.journeys.definition import Step, StepKind
from campaigns.models import Campaign, Journey, JourneyCall, JourneyRun
from campaigns.queries import ADDRESS, ADDRESS_KEY, LIKED, known_in_app, zone_of
from campaigns.services.journeys.costs import coupon_costs, message_costs, point_cost
from campaigns.services.senders import default_sender
from campaigns.services.templates import newest_version
from common.doorbell import ring
from common.sql import fetch_all
from members.models import Member, Tag
from members.segments.compile import selecting
from members.services.tags import add_tag, remove_tag
from members.services.tasks import add_task
from rewards.enums import IssuedBy
from rewards.models import Offer
from rewards.services.coupons.issuing import OfferNotRunning, OutOfCodes, issue_coupons
from rewards.services.gifts import Gift, give_points


class Went(NamedTuple):
    """How a way went on from a step."""

    exit: str = "next"
    what: str = "did"
    why: dict[str, Any] = {}


@dataclass(slots=True)
class Group:
    """Those who stand at one step of one version."""

    journey: Journey
    read: Definition
    step: Step
    runs: Sequence[JourneyRun]
    members: dict[int, Member]
    at: datetime

    def key(self, run: JourneyRun) -> str:
        """Names for ever what this step does for this way."""
        return f"{run.pk}:{self.step.id}" + (f":{run.laps}" if run.laps else "")


def _if(group: Group) -> dict[int, Went]:
    ids = [run.member_id for run in group.runs]
    statement, params = selecting(group.step.told["condition"], at=group.at, member_ids=ids)
    inside = {pk for (pk,) in fetch_all(statement, params)}  # type: ignore[arg-type]
    return {run.pk: Went("yes" if run.member_id in inside else "no", "went") for run in group.runs}


def _split(group: Group) -> dict[int, Went]:
    salt, shares = f"{group.journey.uid}:{group.step.id}", group.step.told["shares"]
    return {run.pk: Went(dates.way(salt, run.member_id, shares), "went") for run in group.runs}


def _go_to(group: Group) -> dict[int, Went]:
    for run in group.runs:
        run.laps += 1
    return {run.pk: Went("next", "went") for run in group.runs}


_ADDRESS = "CASE wanted.channel " + " ".join(
    f"WHEN '{channel}' THEN {ADDRESS[channel]}" for channel in (Medium.EMAIL, Medium.SMS, Medium.WEBHOOK)
) + " END"  # fmt: skip
# The first channel that reaches the member and that they agreed to, their own first of all; the pages of their own need
# no consent.
_SEND = f"""
INSERT INTO campaigns_message (uid, campaign_id, occurrence, channel, member_id, address, sender_id, due_at, expires_at,
                               next_try_at, state, reason, why, changed_at)
SELECT gen_random_uuid(), %(campaign)s, step.occurrence, coalesce(way.channel, %(first)s), step.member_id, way.address,
       (%(senders)s::jsonb ->> coalesce(way.channel, %(first)s))::bigint, step.should_at,
       step.should_at + %(catch_up)s, %(at)s,
       CASE WHEN way.channel IS NULL THEN 'skipped' WHEN step.should_at + %(catch_up)s <= %(at)s THEN 'missed'
            ELSE 'queued' END,
       CASE WHEN way.channel IS NOT NULL THEN '' WHEN agreed.any IS TRUE THEN 'no_address' ELSE 'no_consent' END,
       jsonb_build_object('version', %(version)s::bigint, 'step', %(step)s::text), %(at)s
FROM unnest(%(members)s::bigint[], %(occurrences)s::text[], %(shoulds)s::timestamptz[])
         AS step (member_id, occurrence, should_at)
JOIN members_member AS member ON member.id = step.member_id
{known_in_app("'webhook' = ANY(%(channels)s::text[])")}
LEFT JOIN LATERAL (
    SELECT bool_or(said.granted) AS any FROM members_consentstate AS said
    WHERE said.member_id = member.id AND said.purpose = %(purpose)s AND said.channel = ANY(%(channels)s::text[])
) AS agreed ON true
{LIKED}
LEFT JOIN LATERAL (
    SELECT wanted.channel, {ADDRESS_KEY.format(_ADDRESS)} AS address
    FROM unnest(%(channels)s::text[]) WITH ORDINALITY AS wanted (channel, place)
    LEFT JOIN members_consentstate AS said
      ON said.member_id = member.id AND said.channel = wanted.channel AND said.purpose = %(purpose)s
    WHERE wanted.channel = 'app'
       OR (said.granted AND {_ADDRESS} <> '')
    ORDER BY (wanted.channel = liked.first_channel) IS NOT TRUE, wanted.place LIMIT 1
) AS way ON true
ON CONFLICT DO NOTHING
RETURNING member_id, id, state, reason, channel
"""


def channels_of(step: Step, campaign: Campaign) -> list[str]:
    """The channels that the message of a step may take, in their order."""
    return list(step.told["channels"] or campaign.channels or [Medium.EMAIL.value])


def _send(group: Group) -> dict[int, Went]:
    campaign = group.journey.campaign
    channels = channels_of(group.step, campaign)
    senders = {channel: default_sender(channel) for channel in channels}
    costs = message_costs(senders.values())
    if most := max(costs.values()):
        runs, went = _within(group, most)
    else:  # nothing to count, so nothing to wait for
        runs, went = list(group.runs), {}
    runs.sort(key=lambda run: run.member_id)
    rows = fetch_all(
        _SEND,
        {
            "campaign": campaign.pk,
            "purpose": campaign.purpose,
            "channels": channels,
            "first": channels[0],
            "senders": json.dumps({channel: sender.pk for channel, sender in senders.items()}),
            "members": [run.member_id for run in runs],
            "occurrences": [group.key(run) for run in runs],
            "shoulds": [run.should_at for run in runs],
            "catch_up": timedelta(hours=group.read.catch_up_hours),
            "version": newest_version(group.step.told["template"]).pk,
            "step": group.step.id,
            "at": group.at,
        },
    )
    made = {member_id: (pk, state, reason) for member_id, pk, state, reason, _channel in rows}
    if queued := [channel for *_row, state, _reason, channel in rows if state == "queued"]:
        ring("campaigns.tasks.deliver_messages")
        if spent := sum(costs[channel] for channel in queued):
            _count(group, spent)
    for run in runs:
        pk, state, reason = made.get(run.member_id, (None, "skipped", "duplicate_address"))
        why = {"message": pk, **({"reason": reason} if reason else {})}
        went[run.pk] = Went("next", "did" if state == "queued" else state, why)
    return went


def _within(
    group: Group, cost: Decimal | int, cap: int | None = None, given: str = "", each: int = 1
) -> tuple[list[JourneyRun], dict[int, Went]]:
    """Those for whom the journey's caps have room, in number and in money, and how the others went on. Locks the
    journey, so that two who give at once do not pass a cap together."""
    runs, journey = sorted(group.runs, key=lambda run: run.pk), group.journey
    Journey.objects.select_for_update().get(pk=journey.pk)
    journey.refresh_from_db(fields=["points_given", "coupons_given", "cost_minor"])
    room, why = len(runs), {"reason": "cap", "cap": cap}
    if cap is not None:
        room = min(room, max(0, (cap - getattr(journey, given)) // each))
    most = group.read.cap_cost_minor
    if most is not None and cost and (affordable := max(0, int((most - journey.cost_minor) // cost))) < room:
        room, why = affordable, {"reason": "cost_cap", "cap": most}
    return runs[:room], {run.pk: Went("next", "skipped", why) for run in runs[room:]}


def _count(group: Group, cost: Decimal | int, given: str = "", by: int = 0) -> None:
    if given:
        setattr(group.journey, given, getattr(group.journey, given) + by)
    group.journey.cost_minor += cost
    group.journey.save(update_fields=["cost_minor", *filter(None, [given])])


def _points(group: Group) -> dict[int, Went]:
    told = group.step.told
    cost = point_cost() * told["points"]
    chosen, went = _within(group, cost, group.read.cap_points, "points_given", told["points"])
    gifts = {}
    for run in chosen:
        expires = None
        if told["valid_days"]:
            zone = zone_of(group.members[run.member_id])
            last = group.at.astimezone(zone).date() + timedelta(days=told["valid_days"])
            expires = datetime.combine(last + timedelta(days=1), time(), zone)
        gifts[run.pk] = Gift(
            member_id=run.member_id,
            amount=told["points"],
            key=f"journey:{group.key(run)}",
            reason=told["reason"] or gettext_noop("Gift"),
            expires_at=expires,
            why={"campaign": "journey", "journey": group.journey.pk, "run": run.pk, "step": group.step.id},
        )
    given = give_points(gifts=list(gifts.values()), at=group.at)
    _count(group, cost * len(gifts), "points_given", told["points"] * len(gifts))
    return went | {
        pk: Went("next", "did", {"transfer": given[gift.key], "points": told["points"]}) for pk, gift in gifts.items()
    }


def _coupon(group: Group) -> dict[int, Went]:
    cost = coupon_costs(Offer.objects.filter(pk=group.step.told["offer"])).get(group.step.told["offer"]) or 0
    chosen, went = _within(group, cost, group.read.cap_coupons, "coupons_given")
    keys = {run.pk: f"journey:{group.key(run)}" for run in chosen}
    try:
        coupons = issue_coupons(
            offer_id=group.step.told["offer"],
            member_ids=[run.member_id for run in chosen],
            keys=list(keys.values()),
            issued_by=IssuedBy.MESSAGE,
            at=group.at,
        )
    except (OfferNotRunning, OutOfCodes) as error:
        reason = "offer_over" if isinstance(error, OfferNotRunning) else "out_of_codes"
        return went | {run.pk: Went("next", "skipped", {"reason": reason}) for run in chosen}
    made = {coupon.issue_key: coupon for coupon in coupons}
    _count(group, cost * len(made), "coupons_given", len(made))
    for run in chosen:
        if coupon := made.get(keys[run.pk]):
            went[run.pk] = Went("next", "did", {"coupon": coupon.pk})
        else:
            went[run.pk] = Went("next", "skipped", {"reason": "not_entitled"})
    return went


def _tag(group: Group) -> dict[int, Went]:
    ids, name = [run.member_id for run in group.runs], group.step.told["tag"]
    if group.step.kind is StepKind.TAG:
        add_tag(member_ids=ids, name=name, at=group.at)
    elif tag := Tag.objects.filter(name__iexact=name).first():
        remove_tag(member_ids=ids, tag_id=tag.pk, at=group.at)
    return {run.pk: Went() for run in group.runs}


def _task(group: Group) -> dict[int, Went]:
    told, went = group.step.told, {}
    for run in group.runs:
        day = group.at.astimezone(zone_of(group.members[run.member_id])).date()
        due = day + timedelta(days=told["due_days"]) if told["due_days"] is not None else None
        task = add_task(member_id=run.member_id, title=told["title"], due_on=due, at=group.at, actor_id=None)
        went[run.pk] = Went("next", "did", {"task": task.pk})
    return went


def _webhook(group: Group) -> dict[int, Went]:
    JourneyCall.objects.bulk_create(
        [
            JourneyCall(run=run, step=group.step.id, lap=run.laps, event=group.step.told["event"], next_try_at=group.at)
            for run in group.runs
        ],
        ignore_conflicts=True,
    )
    return {run.pk: Went() for run in group.runs}


ACTS: dict[StepKind, Callable[[Group], dict[int, Went]]] = {
    StepKind.IF: _if,
    StepKind.SPLIT: _split,
    StepKind.SEND: _send,
    StepKind.POINTS: _points,
    StepKind.COUPON: _coupon,
    StepKind.TAG: _tag,
    StepKind.UNTAG: _tag,
    StepKind.TASK: _task,
    StepKind.WEBHOOK: _webhook,
    StepKind.GO_TO: _go_to,
    StepKind.END: lambda group: {run.pk: Went("next", "went") for run in group.runs},
}

_EXPIRY = """
SELECT wallet.member_id, min(lot.expires_at) FROM rewards_lot AS lot JOIN rewards_account AS wallet
  ON wallet.id = lot.account_id AND wallet.kind = 'wallet' AND wallet.unit = 'points'
WHERE wallet.member_id = ANY(%(members)s::bigint[]) AND lot.remaining > 0 AND lot.expires_at > %(at)s
GROUP BY wallet.member_id
"""
_COUPON_DAY = """
SELECT member_id, max(expires_at) FROM rewards_coupon
WHERE member_id = ANY(%(members)s::bigint[]) AND expires_at > %(at)s AND state = 'issued'
  AND issue_key LIKE 'journey:%%'
GROUP BY member_id
"""


def days_of(name: str, arrived: Mapping[int, datetime], members: Mapping[int, Member], at: datetime) -> dict[int, date]:
    """A day of each member's own, by member: the first birthday since they arrived, the last day of points or of a
    journey's coupon, an attribute."""
    if name == "birthday":
        found = {}
        for pk, since in arrived.items():
            if birthday := members[pk].birthday:
                found[pk] = birthday.next_on_or_after(since.astimezone(zone_of(members[pk])).date()).day
        return found
    if name.startswith("attribute:"):
        key = name.partition(":")[2]
        told = {pk: members[pk].attributes.get(key) for pk in arrived}
        return {pk: date.fromisoformat(day) for pk, day in told.items() if day}
    zones = {pk: zone_of(members[pk]) for pk in arrived}
    rows = fetch_all(_EXPIRY if name == "expiry" else _COUPON_DAY, {"members": list(zones), "at": at})
    # What ends with the beginning of a day had its last day the day before.
    return {pk: (ends - timedelta(seconds=1)).astimezone(zones[pk]).date() for pk, ends in rows if ends}
