"""What the page of a case offers of campaigns: journeys that staff start for the member, and what came of those."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID, uuid4

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.translation import gettext

from campaigns.enums import CampaignState, MessageState, RunState, SkipReason
from campaigns.journeys.definition import Journey, Step
from campaigns.journeys.words import step_words
from campaigns.queries_by_hand import After, after
from campaigns.services.journeys.by_hand import CannotStart, choices, start_by_hand
from campaigns.services.journeys.definitions import known, read_version
from common.money import format_money
from members.services.purchases import KeyReused
from rewards.enums import CouponUseState
from surveys.winback import Part, register

if TYPE_CHECKING:
    from surveys.models import Case

PERMISSION = "campaigns.add_journeyrun"


def _context(case: "Case", at: datetime, request: HttpRequest) -> dict[str, Any] | None:
    member = case.member
    if member is None or member.erased_at or member.merged_into_id:
        return None
    there, begun = known(), after(case_id=case.pk, member_id=member.pk)
    offered = [
        {
            "journey": one.journey,
            "steps": [step_words(step, there) for step in _in_order(one.read) if step.kind in _TOLD],
            "obstacle": one.obstacle.label if one.obstacle else "",
            "waits_until": one.waits_until,
        }
        for one in choices(member=member, at=at)
    ]
    if not offered and not begun and not request.user.has_perm("campaigns.view_journey"):
        return None
    return {
        "offered": offered,
        "begun": [_told(one, there) for one in begun],
        "start_key": uuid4(),
        "may_open": request.user.has_perm("campaigns.view_journeyrun"),
        "may_start": request.user.has_perm(PERMISSION) and case.state != "merged",
    }


_TOLD = ("send", "points", "coupon", "task")


def _in_order(read: Journey) -> list[Step]:
    """The steps as the editor shows them, from above."""
    return sorted(read.steps.values(), key=lambda step: [int(part) for part in step.path.split("/") if part.isdigit()])


def _told(one: After, there: Any) -> dict[str, Any]:
    """A way in lines: (moment, sentence), oldest first."""
    run, lines = one.run, []
    for message in one.messages:
        lines += _of_message(message)
    for moment, points in one.points:
        lines.append((moment, gettext("%(n)s points given") % {"n": number_format(points, use_l10n=True)}))
    for coupon in one.coupons:
        offer = {"offer": coupon.offer.name}
        lines.append((coupon.issued_at or run.entered_at, gettext("Coupon “%(offer)s” given") % offer))
        for use in (one for one in coupon.coupon_uses.all() if one.state == CouponUseState.USED):
            lines.append((use.at, gettext("Coupon “%(offer)s” used") % offer))
    if one.first_purchase:
        lines.append((one.first_purchase, gettext("Bought for the first time since")))
    if run.ended_at:
        lines.append((run.ended_at, str(RunState(run.state).label)))
    step = read_version(run.version_id).steps.get(run.step)
    running = run.journey.campaign.state == CampaignState.RUNNING
    return {
        "run": run,
        "state": RunState(run.state).label,
        "lines": sorted(lines, key=lambda line: line[0]),
        "next": step_words(step, there) if step and run.due_at else "",
        "stands": bool(run.due_at) and not running,
        "purchases": one.purchases,
        "spent": ", ".join(format_money(amount, currency) for currency, amount in one.spent.items()),
    }


def _of_message(message: Any) -> list[tuple[datetime, str]]:
    what = {"subject": message.subject or gettext("Message")}
    if message.state != MessageState.SENT:
        said = str(MessageState(message.state).label)
        if message.reason:
            said += f": {SkipReason(message.reason).label}"
        return [(message.changed_at, f"{what['subject']}: {said}")]
    lines = [(message.sent_at, gettext("“%(subject)s” sent") % what)]
    for moment, sentence in (
        (message.bounced_at, gettext("“%(subject)s” came back")),
        (message.opened_at or message.read_at, gettext("“%(subject)s” opened")),
        (message.clicked_at, gettext("A link in “%(subject)s” clicked")),
        (message.complained_at, gettext("“%(subject)s” reported as spam")),
    ):
        if moment:
            lines.append((moment, sentence % what))
    return lines


def _start(case: "Case", at: datetime, request: HttpRequest) -> str:
    told = request.POST.get("journey", "")
    member = case.member
    if member is None or case.state == "merged":
        raise ValidationError(gettext("This member is not there any more."))
    if not (told.isdecimal() and len(told) < 18):
        raise ValidationError(gettext("Please choose one of those that are there."))
    try:
        run = start_by_hand(
            journey_id=int(told),
            member_id=member.pk,
            key=UUID(request.POST.get("key", "")),
            at=at,
            actor_id=cast("int", request.user.pk),
            case_id=case.pk,
        )
    except CannotStart as error:
        raise ValidationError(str(error.obstacle.label)) from error
    except KeyReused as error:
        raise ValidationError(
            gettext("This form was sent before with something else. Look at what is there.")
        ) from error
    except ValueError as error:
        raise ValidationError(gettext("Please load the page again.")) from error
    return gettext("“%(journey)s” has begun for %(member)s.") % {"journey": run.journey, "member": member}


def register_all() -> None:
    register(
        Part(
            key="journeys",
            template="campaigns/admin/journeys/winback.html",
            context=_context,
            permission=PERMISSION,
            acts={"start_journey": _start},
        )
    )
