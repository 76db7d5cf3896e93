"""Invitations to surveys as messages: planned in sets when members are invited, counted like all others."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count
from django.utils.translation import gettext, override

from campaigns import merge
from campaigns.content.compiled import compiled
from campaigns.content.ready import READY
from campaigns.content.survey_block import values_of
from campaigns.enums import (
    CampaignKind,
    CampaignPurpose,
    CampaignState,
    Medium,
    MessageState,
    SkipReason,
    TemplateKind,
    TrackKind,
    Verdict,
)
from campaigns.merge import Recipient
from campaigns.models import Campaign, Message, SurveyMail, Template, Topic, TrackEvent
from campaigns.queries import ADDRESS, ADDRESS_KEY, LIKED, known_in_app, way, zone_of
from campaigns.queries_broadcasts import against, joins
from campaigns.queries_pressure import put_off
from campaigns.services.senders import channel_choices, default_sender
from campaigns.services.templates import newest_version, save_template
from campaigns.services.trying import send_test
from campaigns.services.writers import Written, register_writer
from common.doorbell import ring
from common.sql import fetch_all
from members.enums import Language
from members.queries import get_programme
from surveys.links import public_url
from surveys.models import Survey
from surveys.queries import reading
from surveys.reaching import Reached, Sending, register

LATE = timedelta(days=7)  # so long an invitation may wait for room among other messages

# Whom to ask, each with the first channel that reaches them, or why none does.
_WAYS = """
SELECT *, {way} AS channel, CASE WHEN {blocked} THEN against_{first} ELSE '' END AS reason
FROM (
    SELECT asked.*, {told}
    FROM asked JOIN members_member AS member ON member.id = asked.member_id {joins}
    WHERE member.merged_into_id IS NULL AND member.erased_at IS NULL
) AS told
"""
# One message for each invitation for ever, whichever channel it took.
_PLAN = """
WITH asked AS MATERIALIZED (
    SELECT invitation.id, invitation.member_id, invitation.expires_at FROM surveys_invitation AS invitation
    WHERE invitation.id = ANY(%(ids)s::bigint[]) AND invitation.survey_id = %(survey)s AND invitation.state = 'open'
      AND (invitation.expires_at IS NULL OR invitation.expires_at > %(at)s)
      AND NOT EXISTS (SELECT FROM campaigns_message AS before WHERE before.member_id = invitation.member_id
                      AND before.campaign_id = %(campaign)s AND before.occurrence = 'invitation:' || invitation.id)
)
INSERT INTO campaigns_message (uid, campaign_id, occurrence, channel, member_id, address, sender_id, due_at, expires_at,
                               next_try_at, state, reason, changed_at)
SELECT gen_random_uuid(), %(campaign)s, 'invitation:' || way.id, way.channel, way.member_id,
       CASE way.channel {keys} END, CASE way.channel {senders} END, %(at)s,
       least(way.expires_at, %(at)s::timestamptz + %(late)s::interval), %(at)s,
       CASE WHEN way.reason <> '' THEN 'skipped' ELSE 'queued' END, way.reason, %(at)s
FROM ({ways}) AS way
ORDER BY way.id
ON CONFLICT DO NOTHING
RETURNING state
"""
_ESTIMATE = "WITH asked AS MATERIALIZED (SELECT member_id FROM ({chosen}) AS one (member_id))"


def _ways(channels: Sequence[Medium]) -> str:
    """SQL of `asked` with channel and reason, for a campaign of these channels in order. Parameters as `joins`."""
    told = [f"{against(one, True)} AS against_{one}, {ADDRESS[one]} AS to_{one}" for one in channels]
    among = "member_id IN (SELECT member_id FROM asked)"
    known = known_in_app() if Medium.WEBHOOK in channels else ""
    return _WAYS.format(
        way=way(channels),
        first=channels[0],
        blocked=" AND ".join(f"against_{one} <> ''" for one in channels),
        told=", ".join([*told, ("liked.first_channel" if len(channels) > 1 else "''") + " AS liked"]),
        joins=(LIKED if len(channels) > 1 else "") + known + "".join(joins(one, True, among) for one in channels),
    )


@transaction.atomic
def mail_of(*, survey_id: int, at: datetime) -> SurveyMail:
    """How the invitations to a survey go out; by the ready template where nobody has chosen."""
    survey = Survey.objects.select_for_update().get(pk=survey_id)
    found = SurveyMail.objects.select_related("campaign", "template").filter(pk=survey_id).first()
    if found is not None:
        return found
    campaign = Campaign.objects.create(
        kind=CampaignKind.SURVEY,
        name=survey.name,
        purpose=CampaignPurpose.OFFERS,
        state=CampaignState.RUNNING,
        channels=[Medium.EMAIL.value],
        topic=_topic(),
        holdout_percent=0,
        priority=40,
    )
    return SurveyMail.objects.create(survey=survey, campaign=campaign, template=_template(at))


def _topic() -> Topic:
    """What members let go of who want no surveys: shared by all of them."""
    used = SurveyMail.objects.exclude(campaign__topic=None).select_related("campaign__topic").first()
    if used is not None and used.campaign.topic is not None:
        return used.campaign.topic
    words = {}
    for language in Language.values:
        column = language.replace("-", "_")
        with override(language):
            words[f"name_{column}"] = gettext("Surveys")
            words[f"about_{column}"] = gettext("We ask what you think of us, now and then.")
    return Topic.objects.create(purpose=CampaignPurpose.OFFERS.value, position=90, **words)


def _template(at: datetime) -> Template:
    ready = READY["survey"]
    with override("en"):
        name = str(ready.name)
    there = Template.objects.filter(name=name, archived_at=None, kind=TemplateKind.MARKETING).order_by("pk").first()
    if there is not None:
        return there
    return save_template(
        template_id=None, name=name, kind=TemplateKind.MARKETING, content=ready.content, actor_id=None, at=at
    ).template


def plan(*, invitation_ids: Sequence[int], at: datetime) -> int:
    """One message for each invitation, for ever; how many wait to be sent. One statement for each survey."""
    surveys = Survey.objects.filter(invitations__in=invitation_ids).order_by("pk").distinct()
    queued = 0
    for survey in surveys:
        mail = mail_of(survey_id=survey.pk, at=at)
        channels = [Medium(one) for one in mail.campaign.channels]
        keys = " ".join(f"WHEN '{one}' THEN {ADDRESS_KEY.format(f'to_{one}')}" for one in channels)
        senders = " ".join(f"WHEN '{one}' THEN {default_sender(one).pk}" for one in channels)
        rows = fetch_all(
            _PLAN.format(ways=_ways(channels), keys=keys, senders=senders),
            {
                "ids": list(invitation_ids),
                "survey": survey.pk,
                "campaign": mail.campaign_id,
                "purpose": mail.campaign.purpose,
                "topic": mail.campaign.topic_id,
                "late": LATE,
                "at": at,
            },
        )
        queued += sum(state == MessageState.QUEUED for (state,) in rows)
    if queued:
        ring("campaigns.tasks.deliver_messages", every=5)
    return queued


def write(messages: Sequence[Message], at: datetime) -> list[Written]:
    """The newest version of the survey's template, with each one's own link."""
    mails = SurveyMail.objects.in_bulk({one.campaign_id for one in messages}, field_name="campaign_id")
    versions = {pk: newest_version(mail.template_id).pk for pk, mail in mails.items()}
    readers = [
        Recipient(
            one.member,
            one.member.language,
            at,
            at.astimezone(zone_of(one.member)).date(),
            invitation_id=int(one.occurrence.partition(":")[2]),
        )
        for one in messages
    ]
    spaces: set[str] = set()
    for version_id in set(versions.values()):
        for language in {reader.language for reader in readers}:
            spaces |= compiled(version_id, language).spaces
    spaces |= {"survey"}  # a short text needs the link, whatever the template asks for
    return [
        Written(
            version_id=versions[one.campaign_id],
            language=reader.language,
            values=dict(values),
            text=_short(values["survey"], reader.language),
        )
        for one, reader, values in zip(messages, readers, merge.values(readers, spaces), strict=True)
    ]


def _short(told: Mapping[str, Any], language: str) -> str:
    """What a text message says where the template has no short text: the first question, and the personal link."""
    with override(language):
        words = {"programme": get_programme().name, "question": str(told["question"])[:120], "link": told["url"]}
        return gettext("%(programme)s: %(question)s %(link)s") % words


# --- what the page of a survey asks ---
def _templates() -> list[tuple[int, str]]:
    kept = Template.objects.filter(archived_at=None, kind=TemplateKind.MARKETING).order_by("name")
    return list(kept.values_list("pk", "name"))


def _choose(survey_id: int, template_id: int | None, channels: Sequence[str], at: datetime) -> None:
    mail = mail_of(survey_id=survey_id, at=at)
    if template_id is not None:
        SurveyMail.objects.filter(pk=survey_id).update(template_id=template_id)
    Campaign.objects.filter(pk=mail.campaign_id).update(channels=list(channels))


def _chosen(survey_id: int) -> int | None:
    return SurveyMail.objects.filter(pk=survey_id).values_list("template_id", flat=True).first()


def _channels(survey_id: int) -> list[str]:
    found = SurveyMail.objects.filter(pk=survey_id).values_list("campaign__channels", flat=True).first()
    return found or [Medium.EMAIL.value]


def _counts(survey_id: int) -> list[tuple[str, int]]:
    found = (
        Message.objects.filter(campaign__survey_mail=survey_id).values_list("state", "reason").annotate(n=Count("pk"))
    )
    return [
        (str(SkipReason(reason).label if reason else MessageState(state).label), n)
        for state, reason, n in found.order_by("-n", "state")
    ]


def _reached(survey_id: int, chosen: str, params: Mapping[str, Any], at: datetime) -> Reached:
    used = SurveyMail.objects.exclude(campaign__topic=None).values_list("campaign__topic", flat=True).first()
    given = {**params, "at": at, "topic": used or 0, "purpose": CampaignPurpose.OFFERS.value}
    ways = _ways([Medium(one) for one in _channels(survey_id)])
    asked = _ESTIMATE.format(chosen=chosen)
    rows = fetch_all(f"{asked} SELECT reason, channel, count(*) FROM ({ways}) AS way GROUP BY reason, channel", given)
    going = f"{asked} SELECT member_id, channel, reason, %(at)s::timestamptz AS due_at FROM ({ways}) AS way"
    by: dict[str, int] = {}
    for reason, channel, n in rows:
        by[reason or channel] = by.get(reason or channel, 0) + n
    unwanted = (SkipReason.TOPIC_OFF, SkipReason.SUPPRESSED, SkipReason.BAD_ADDRESS)
    return Reached(
        lost=[
            (SkipReason.NO_CONSENT.label, by.get(SkipReason.NO_CONSENT, 0)),
            (SkipReason.NO_ADDRESS.label, by.get(SkipReason.NO_ADDRESS, 0)),
            (gettext("want no surveys, or nothing reaches them"), sum(by.get(reason, 0) for reason in unwanted)),
        ],
        ways=[(one.label, by[one]) for one in Medium if one in by],
        waiting=put_off(going, given, late=LATE).members,
    )


def _test(survey_id: int, to: str, language: str, at: datetime) -> None:
    """With the survey's own question; its link is the public one, so that nothing counts as anybody's answer."""
    mail = mail_of(survey_id=survey_id, at=at)
    version = newest_version(mail.template_id)
    survey = Survey.objects.get(pk=survey_id)
    newest = survey.versions.filter(number=survey.number).first()
    with override(language):
        told = values_of(reading(newest.pk), public_url(survey.code), survey.thanks_points) if newest else {}
    send_test(
        content=version.content,
        kind=TemplateKind.MARKETING,
        languages=[language],
        member=None,
        to=to,
        at=at,
        more={"survey": told} if told else {},
    )


_HANDED = """
SELECT survey_mail.survey_id, count(*),
       count(*) FILTER (WHERE invitation.state = 'answered' AND coalesce(response.state, '') <> 'void')
FROM campaigns_surveymail AS survey_mail
JOIN campaigns_message AS message ON message.campaign_id = survey_mail.campaign_id AND message.state = 'sent'
JOIN surveys_invitation AS invitation ON invitation.survey_id = survey_mail.survey_id
 AND invitation.id = substr(message.occurrence, 12)::bigint
LEFT JOIN surveys_response AS response ON response.invitation_id = invitation.id
WHERE survey_mail.survey_id = ANY(%(surveys)s::bigint[])
GROUP BY 1
"""


def _handed(survey_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    rows = fetch_all(_HANDED, {"surveys": list(survey_ids)})
    return {survey_id: (asked, answered) for survey_id, asked, answered in rows}


def _channel(survey_id: int, invitation_id: int) -> str:
    sent = Message.objects.filter(
        campaign__survey_mail=survey_id, occurrence=f"invitation:{invitation_id}", state=MessageState.SENT
    )
    return sent.filter(member__invitations=invitation_id).values_list("channel", flat=True).first() or ""


def _visits(survey_id: int) -> list[tuple[str, int]]:
    asked = TrackEvent.objects.filter(message__campaign__survey_mail=survey_id, kind=TrackKind.CLICK)
    found = dict(asked.values_list("verdict").annotate(n=Count("message", distinct=True)))
    return [(str(verdict.label), found[verdict]) for verdict in Verdict if verdict in found]


def register_all() -> None:
    """Called once, when the app is ready."""
    register_writer(CampaignKind.SURVEY, write)
    register(
        Sending(
            _templates,
            channel_choices,
            _chosen,
            _channels,
            _choose,
            _counts,
            _reached,
            _test,
            _handed,
            _channel,
            _visits,
        )
    )
