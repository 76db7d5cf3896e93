"""Did this member get this? Why, or why not, and what happened when."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.timezone import now
from django.utils.translation import gettext

from campaigns.admin.broadcasts.words import who_words
from campaigns.admin.results.words import story
from campaigns.admin.why import why_words
from campaigns.enums import CampaignKind, CampaignPurpose, CampaignState, MessageState, SkipReason
from campaigns.models import Broadcast, Campaign, Journey, Suppression
from campaigns.queries import address_key, address_of
from campaigns.queries_broadcasts import answer_for
from campaigns.queries_pressure import room_for
from campaigns.queries_trace import Known, known_of
from campaigns.services.broadcasts.audience import NoDate, plan_of
from campaigns.services.journeys.trying import Reason
from campaigns.services.journeys.trying import why as why_journey
from common.admin import found_or_404
from common.moments import format_moment
from members.enums import Channel
from members.models import Member
from members.queries import consent_state, find_member, search
from members.queries_segments import SegmentNotReady
from members.rules import birthday_words
from members.segments import asking
from members.segments.tree import BadDefinition

FOUND = 8


def show(model_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    """`member`: its key; `q`: a name, phone, card or e-mail to find it by."""
    campaign = found_or_404(Campaign.objects.exclude(kind=CampaignKind.SERVICE), object_id)
    key, q, at = request.GET.get("member", ""), request.GET.get("q", "").strip(), now()
    member, some = None, []
    if key.isdecimal() and len(key) < 19:
        member = Member.objects.filter(pk=key).first()
    elif q:
        one = find_member(email=q) if "@" in q else None
        some = [one] if one else list(search(q)[:FOUND])
        member, some = (some[0], []) if len(some) == 1 else (None, some)
    request.current_app = model_admin.admin_site.name  # type: ignore[attr-defined]
    context = {
        **model_admin.admin_site.each_context(request),
        "title": gettext("Did this member get “%(campaign)s”?") % {"campaign": campaign},
        "opts": model_admin.opts,
        "media": model_admin.media,
        "original": campaign,
        "campaign": campaign,
        "q": q,
        "some": some,
        "none": bool(q) and member is None and not some,
        "member": member,
    }
    if member is not None:
        found = known_of(campaign, member)
        context |= {"verdict": verdict(found), "reasons": reasons(campaign, member, found, at), "story": story(found)}
    return TemplateResponse(request, "campaigns/admin/results/trace.html", context)


def verdict(found: Known) -> str:
    """The answer in a line."""
    states = [message.state for message in found.messages]
    sent = states.count(MessageState.SENT)
    if sent:
        bounced = any(message.bounced_at for message in found.messages)
        last = format_moment(max(message.sent_at for message in found.messages if message.sent_at))
        said = gettext("Yes, last on %(moment)s.") % {"moment": last}
        return gettext("%(said)s But a mail came back.") % {"said": said} if bounced else said
    if not states:
        return gettext("No: there is no message to this member.")
    last_one = found.messages[-1]
    if last_one.state in (MessageState.QUEUED, MessageState.CLAIMED, MessageState.HANDING_OVER):
        if last_one.campaign.state == CampaignState.CANCELLED:
            return gettext("No: the campaign was cancelled.")
        if last_one.campaign.state == CampaignState.PAUSED:
            return gettext("Not yet: the campaign is paused.")
        if last_one.sender and last_one.sender.paused_at:
            return gettext("Not yet: the sender “%(sender)s” is paused.") % {"sender": last_one.sender}
        return gettext("Not yet: it waits, due %(moment)s.") % {"moment": format_moment(last_one.next_try_at)}
    why = last_one.get_reason_display() if last_one.reason else last_one.error
    said = last_one.get_state_display()
    return gettext("No. %(state)s: %(why)s.") % {"state": said, "why": why} if why else f"{said}."


def reasons(campaign: Campaign, member: Member, found: Known, at: datetime) -> list[Reason]:
    """Point by point: then as far as it is kept, now as things are."""
    told = [Reason(None, why_words(message)) for message in found.messages[-1:]]
    kind = CampaignKind(campaign.kind)
    if kind is CampaignKind.JOURNEY:
        told += why_journey(
            journey=Journey.objects.select_related("campaign").get(pk=campaign.pk), member=member, at=at
        )
    elif kind is CampaignKind.BROADCAST:
        told += _broadcast(Broadcast.objects.select_related("campaign").get(pk=campaign.pk), member, found, at)
    elif kind is CampaignKind.SURVEY:
        told += [] if found.messages else [Reason(False, gettext("Was not invited to the survey."))]
    elif member.birthday is None:
        told.append(Reason(False, gettext("No birthday is known.")))
    else:
        said = gettext("The birthday is %(day)s.") % {"day": birthday_words(member.birthday)}
        told.append(Reason(True, said))
    return [*told, *_reached(campaign, member, at)]


def _broadcast(broadcast: Broadcast, member: Member, found: Known, at: datetime) -> list[Reason]:
    told = [] if found.messages else [Reason(None, gettext("Meant for: %(who)s") % {"who": who_words(broadcast)})]
    taken = broadcast.planned_at
    if taken and member.joined_at > taken:
        text = gettext("Joined on %(joined)s, after the audience was taken down on %(taken)s.")
        told.append(Reason(False, text % {"joined": format_moment(member.joined_at), "taken": format_moment(taken)}))
    elif not found.messages and taken:
        text = gettext("Was not in the audience when it was taken down, until %(taken)s.")
        told.append(Reason(False, text % {"taken": format_moment(taken)}))
    elif not found.messages and broadcast.campaign.state == CampaignState.CANCELLED:
        told.append(Reason(False, gettext("It was cancelled before this member's turn came.")))
    for segment, wanted in [
        *((one, True) for one in broadcast.segments.all()),
        *((one, False) for one in broadcast.segments_out.all()),
    ]:
        try:
            why = asking.why(segment.definition, member_id=member.pk, at=at, segment_id=segment.pk)
        except BadDefinition as bad:
            told.append(Reason(False, str(bad)))
            continue
        words = {"segment": segment, "data": "; ".join(_leaves(why))}
        text = (
            gettext("Is now in “%(segment)s”: %(data)s")
            if why.value
            else gettext("Is not now in “%(segment)s”: %(data)s")
        )
        told.append(Reason(why.value == wanted, text % words))
    if taken is None and not found.messages:
        told.append(_as_planned(broadcast, member, at))
    return told


def _leaves(node: asking.Why) -> list[str]:
    own = [f"{node.sentence} ({node.datum})" if node.datum else node.sentence] if not node.children else []
    return own + [text for child in node.children for text in _leaves(child)]


def _as_planned(broadcast: Broadcast, member: Member, at: datetime) -> Reason:
    try:
        answer = answer_for(plan_of(broadcast, at=at), member.pk)
    except (SegmentNotReady, NoDate, ValueError) as error:
        return Reason(False, str(error))
    if answer is None:
        return Reason(False, gettext("As things are now, this member is not in the audience."))
    if answer.reason:
        said = gettext("As things are now, this member does not get it: %(reason)s.")
        return Reason(False, said % {"reason": SkipReason(answer.reason).label})
    said = gettext("As things are now, this member gets it on %(moment)s.")
    return Reason(True, said % {"moment": format_moment(answer.due_at)})


def _reached(campaign: Campaign, member: Member, at: datetime) -> list[Reason]:
    """Whether a message of its kind would reach the member now."""
    told: list[Reason] = []
    if member.merged_into_id or member.erased_at:
        return [Reason(False, gettext("The member was merged into another, or erased."))]
    said = consent_state(member.pk)
    for channel in campaign.channels:
        if channel not in Channel.values or campaign.purpose == CampaignPurpose.SERVICE:
            continue
        name, value = Channel(channel).label, address_of(member, channel)
        consent = said.get((channel, campaign.purpose))
        words = {"channel": name, "when": format_moment(consent.at) if consent else ""}
        if consent is None:
            told.append(Reason(False, gettext("%(channel)s: was never asked, and that means no.") % words))
        elif consent.granted:
            told.append(Reason(True, gettext("%(channel)s: agreed on %(when)s.") % words))
        else:
            told.append(Reason(False, gettext("%(channel)s: said no on %(when)s.") % words))
        if not value:
            told.append(Reason(False, gettext("%(channel)s: has no address for it.") % words))
            continue
        stopped = Suppression.objects.filter(
            channel=channel, address=address_key(value), lifted_at=None
        ).exclude(expires_at__lte=at).first()  # fmt: skip
        if stopped:
            text = gettext("%(channel)s: the address is on the suppression list since %(when)s: %(why)s.")
            more = {"when": format_moment(stopped.created_at), "why": stopped.get_reason_display()}
            told.append(Reason(False, text % {**words, **more}))
        room = room_for([member.pk], channel, at)[member.pk]
        if room.free_at is not None:
            text = gettext("%(channel)s: has had as much as the limits allow, until %(until)s.")
            told.append(Reason(False, text % {**words, "until": format_moment(room.free_at)}))
    return told
