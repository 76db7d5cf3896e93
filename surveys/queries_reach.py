"""Reads about who is asked: what waits for a member, who they are to reports, how far invitations have come."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import F, OuterRef, Q, Subquery
from django.utils.translation import get_language

from common.sql import fetch_all
from members.models import Purchase
from rewards.models import MemberTier
from surveys.definition import said
from surveys.enums import InvitationState, SurveyState, Way
from surveys.models import AskingRule, Invitation, Survey, SurveyTrigger, SurveyVersion
from surveys.queries import reading
from surveys.reaching import channel_of

# Asked once per key; nobody who was asked this survey, or by this trigger, in the days before, or has answered it in
# them; nobody whom any survey asked within the days of the shop's rule. Who came by themselves was not asked.
RESTS = """
before.member_id = ask.member_id AND (before.survey_id <> %(survey)s::bigint OR before.key <> ask.key)
AND CASE WHEN before.survey_id = %(survey)s::bigint
    THEN before.created_at > %(rest)s::timestamptz OR before.answered_on > %(rest)s::timestamptz::date
         OR (before.key LIKE %(prefix)s::text AND before.created_at > %(cooldown)s::timestamptz)
         OR (before.created_at > %(rest_of_all)s::timestamptz AND before.key NOT LIKE 'open%%')
    ELSE before.created_at > %(rest_of_all)s::timestamptz AND before.key NOT LIKE 'open%%' END
"""
RESTED = f"EXISTS (SELECT FROM surveys_invitation AS before WHERE {RESTS})"


def rests(survey: Survey, at: datetime, trigger: SurveyTrigger | None = None) -> dict[str, object]:
    """What RESTED asks for: since when nobody was to be asked."""
    rule = AskingRule.objects.filter(pk=1).first() or AskingRule()
    return {
        "survey": survey.pk,
        "rest": at - timedelta(days=survey.ask_every_days),
        "rest_of_all": at - timedelta(days=rule.days),
        "prefix": f"trigger:{trigger.pk}:%" if trigger else "",
        "cooldown": at - timedelta(days=trigger.cooldown_days if trigger else 0),
    }


# Those who are drawn: by the share of a hash, the same whenever it is asked.
_DRAWN = """
SELECT member.id FROM members_member AS member {joins}
WHERE member.merged_into_id IS NULL AND member.erased_at IS NULL
  AND (('x' || substr(md5(%(seed)s::text || member.id), 1, 8))::bit(32)::bigint & 2147483647) < %(below)s::bigint
"""


def drawn_of(survey: Survey, *, number: int, share: Decimal, segment_id: int | None) -> tuple[str, dict[str, Any]]:
    """The members whom a wave draws, as a query of their ids that more conditions can follow, and its parameters."""
    joins = "JOIN members_segmentmember AS inside ON inside.member_id = member.id AND inside.segment_id = %(segment)s"
    return _DRAWN.format(joins=joins if segment_id else ""), {
        "seed": f"{survey.uid}:{number}:",
        "below": int(share * 2**31 / 100),
        "segment": segment_id,
    }


def resting(survey: Survey, chosen: str, params: Mapping[str, Any], at: datetime) -> tuple[int, int]:
    """Of the members that a query gives, how many there are, and how many were asked too lately."""
    ((total, resting),) = fetch_all(
        f"SELECT count(*), count(*) FILTER (WHERE {RESTED})"
        f" FROM (SELECT id AS member_id, '' AS key FROM ({chosen}) AS one) AS ask",
        {**params, **rests(survey, at)},
    )
    return total, resting


def going(survey: Survey, chosen: str, params: Mapping[str, Any], at: datetime) -> tuple[str, dict[str, Any]]:
    """Those of them who would be invited, as a query of ids."""
    sql = f"SELECT member_id FROM (SELECT id AS member_id, '' AS key FROM ({chosen}) AS one) AS ask WHERE NOT {RESTED}"
    return sql, {**params, **rests(survey, at)}


def who_traits(member_id: int | None, invitation: Invitation | None) -> dict[str, str]:
    """Who they are, as far as reports group by it: tier, the channel by which they were asked, and the store and the
    dearest product of the purchase that they are asked about."""
    told: dict[str, str] = {}
    if member_id is not None:
        tier = MemberTier.objects.filter(member=member_id).values_list("tier__name", flat=True).first()
        told["tier"] = tier or ""
    if invitation is not None:
        told["channel"] = channel_of(invitation.survey_id, invitation.pk)
    if invitation is not None and invitation.purchase_id:
        purchase = Purchase.objects.get(pk=invitation.purchase_id)
        told["store"] = purchase.store
        line = purchase.lines.order_by("-amount_minor", "pk").first()
        told["product"] = line.name if line else ""
    return {key: value for key, value in told.items() if value}


@dataclass(frozen=True, slots=True)
class Open:
    """A survey that a member can answer: by an invitation, or on their pages."""

    survey: Survey
    invitation: Invitation | None
    version: int

    @property
    def title(self) -> str:
        """What members read of it, in the active language: its first section's title, else its first question."""
        read, language = reading(self.version), get_language() or "en"
        first = read.sections[0]
        return said(first.title, language) or next((said(one.title, language) for one in first.questions), "")

    @property
    def until(self) -> datetime | None:
        """The end of the time to answer."""
        asked = self.invitation.expires_at if self.invitation else None
        return min((one for one in (asked, self.survey.closes_at) if one), default=None)


def open_for(member_id: int, at: datetime) -> list[Open]:
    """What waits for a member, what they were asked for last first. Two queries."""
    running = (
        Q(state=SurveyState.OPEN, number__gt=0)
        & (Q(opens_at=None) | Q(opens_at__lte=at))
        & (Q(closes_at=None) | Q(closes_at__gt=at))
        & (Q(response_limit=None) | Q(taken__lt=F("response_limit")))
    )
    newest = SurveyVersion.objects.filter(survey=OuterRef("pk"), number=OuterRef("number"))
    found = Survey.objects.filter(running).annotate(version=Subquery(newest.values("pk")))
    surveys: dict[int, Any] = {survey.pk: survey for survey in found.order_by("-pk")[:50]}
    asked = Invitation.objects.filter(member=member_id, survey__in=surveys).order_by("-created_at", "-pk")
    waiting: list[Open] = []
    seen: set[int] = set()
    for one in asked:
        if one.survey_id in seen:
            continue
        seen.add(one.survey_id)
        survey = surveys[one.survey_id]
        is_own = one.key == "open" and Way.PORTAL in survey.ways
        runs = one.expires_at is None or one.expires_at > at
        waits = one.state in (InvitationState.OPEN, InvitationState.STARTED) and runs
        if waits and (is_own or Way.LINK in survey.ways):
            waiting.append(Open(survey, None if is_own else one, survey.version))
    own = [survey for pk, survey in surveys.items() if pk not in seen and Way.PORTAL in survey.ways]
    return [*waiting, *(Open(survey, None, survey.version) for survey in own)]
