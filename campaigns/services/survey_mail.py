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
from campaigns.enums import CampaignKind, CampaignPurpose, CampaignState, Medium, MessageState, SkipReason, TemplateKind
from campaigns.merge import Recipient
from campaigns.models import Campaign, Message, SurveyMail, Template, Topic
from campaigns.queries import ADDRESS_KEY, zone_of
from campaigns.queries_pressure import put_off
from campaigns.services.senders import default_sender
from campaigns.services.templates import newest_version, save_template
from campaigns.services.trying import send_test
from campaigns.services.writers import Written, register_writer
from common.doorbell import ring
from common.sql import fetch_all
from members.enums import Language
from surveys.links import public_url
from surveys.models import Survey
from surveys.queries import reading
from surveys.reaching import Sending, register

LATE = timedelta(days=7)  # so long an invitation may wait for room among other messages

_PLAN = f"""
INSERT INTO campaigns_message (uid, campaign_id, occurrence, channel, member_id, address, sender_id, due_at, expires_at,
                               next_try_at, state, reason, changed_at)
SELECT gen_random_uuid(), %(campaign)s, 'invitation:' || asked.id, 'email', asked.member_id,
       {ADDRESS_KEY.format("nullif(member.email, '')")}, %(sender)s, %(at)s,
       least(asked.expires_at, %(at)s::timestamptz + %(late)s::interval), %(at)s,
       CASE WHEN agreed.granted IS NOT TRUE OR member.email = '' THEN 'skipped' ELSE 'queued' END,
       CASE WHEN agreed.granted IS NOT TRUE THEN 'no_consent' WHEN member.email = '' THEN 'no_address' ELSE '' END,
       %(at)s
FROM surveys_invitation AS asked
JOIN members_member AS member ON member.id = asked.member_id
LEFT JOIN members_consentstate AS agreed ON agreed.member_id = member.id AND agreed.channel = 'email'
      AND agreed.purpose = %(purpose)s
WHERE asked.id = ANY(%(ids)s::bigint[]) AND asked.survey_id = %(survey)s AND asked.state = 'open'
  AND (asked.expires_at IS NULL OR asked.expires_at > %(at)s)
  AND member.merged_into_id IS NULL AND member.erased_at IS NULL
ORDER BY asked.id
ON CONFLICT DO NOTHING
RETURNING state
"""
_OBJECTIONS = """
SELECT count(*) FILTER (WHERE NOT agreed), count(*) FILTER (WHERE agreed AND email = ''),
       count(*) FILTER (WHERE agreed AND email <> '' AND (unwanted OR gone))
FROM ({rows}) AS asked
"""
_ROWS = f"""
SELECT member.id AS member_id, member.email, coalesce(said.granted, false) AS agreed,
       EXISTS (SELECT FROM campaigns_topicchoice AS choice WHERE choice.member_id = member.id
               AND choice.topic_id = %(topic)s AND NOT choice.wanted AND choice.channel = 'email') AS unwanted,
       EXISTS (SELECT FROM campaigns_suppression AS entry WHERE entry.channel = 'email' AND entry.lifted_at IS NULL
               AND entry.address = {ADDRESS_KEY.format("member.email")}
               AND (entry.expires_at IS NULL OR entry.expires_at > %(at)s)) AS gone
FROM members_member AS member
LEFT JOIN members_consentstate AS said ON said.member_id = member.id AND said.channel = 'email'
      AND said.purpose = 'offers'
WHERE member.id IN ({{chosen}})
"""


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
        rows = fetch_all(
            _PLAN,
            {
                "ids": list(invitation_ids),
                "survey": survey.pk,
                "campaign": mail.campaign_id,
                "purpose": mail.campaign.purpose,
                "sender": default_sender(Medium.EMAIL).pk,
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
    return [
        Written(version_id=versions[one.campaign_id], language=reader.language, values=dict(values))
        for one, reader, values in zip(messages, readers, merge.values(readers, spaces), strict=True)
    ]


# --- what the page of a survey asks ---
def _templates() -> list[tuple[int, str]]:
    kept = Template.objects.filter(archived_at=None, kind=TemplateKind.MARKETING).order_by("name")
    return list(kept.values_list("pk", "name"))


def _choose(survey_id: int, template_id: int, at: datetime) -> None:
    mail_of(survey_id=survey_id, at=at)
    SurveyMail.objects.filter(pk=survey_id).update(template_id=template_id)


def _chosen(survey_id: int) -> int | None:
    return SurveyMail.objects.filter(pk=survey_id).values_list("template_id", flat=True).first()


def _counts(survey_id: int) -> list[tuple[str, int]]:
    found = (
        Message.objects.filter(campaign__survey_mail=survey_id).values_list("state", "reason").annotate(n=Count("pk"))
    )
    return [
        (str(SkipReason(reason).label if reason else MessageState(state).label), n)
        for state, reason, n in found.order_by("-n", "state")
    ]


def _objections(chosen: str, params: Mapping[str, Any], at: datetime) -> list[tuple[Any, int]]:
    used = SurveyMail.objects.exclude(campaign__topic=None).values_list("campaign__topic", flat=True).first()
    given = {**params, "at": at, "topic": used or 0}
    rows = _ROWS.format(chosen=chosen)
    ((no_consent, no_address, unwanted),) = fetch_all(_OBJECTIONS.format(rows=rows), given)
    going = (
        f"SELECT member_id, 'email' AS channel, '' AS reason, %(at)s::timestamptz AS due_at FROM ({rows}) AS asked"
        " WHERE agreed AND email <> '' AND NOT unwanted AND NOT gone"
    )
    late = put_off(going, given, late=LATE).members
    return [
        (SkipReason.NO_CONSENT.label, no_consent),
        (SkipReason.NO_ADDRESS.label, no_address),
        (gettext("want no surveys, or no mail reaches them"), unwanted),
        (gettext("wait, because they had enough messages lately"), late),
    ]


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


def register_all() -> None:
    """Called once, when the app is ready."""
    register_writer(CampaignKind.SURVEY, write)
    register(Sending(_templates, _chosen, _choose, _counts, _objections, _test))
