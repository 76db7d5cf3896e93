"""What the member page says of a member's wishes: topics, how often, what waits to be confirmed, what room there is."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from campaigns.models import TopicChoice
from campaigns.queries_preferences import pace_name, pace_of, pending_of
from campaigns.queries_pressure import room_for
from campaigns.services.opt_in import NotYet, TooLate, send_again
from members.channels import offered
from members.panels import SIDE, register

if TYPE_CHECKING:
    from members.models import Member


def _wishes(member: "Member", at: datetime, request: HttpRequest) -> dict[str, Any]:
    rooms = [(channel.label, room_for([member.pk], channel.value, at)[member.pk]) for channel in offered()]
    wish = pace_of(member.pk)
    return {
        "pending": list(pending_of(member.pk, at).values()),
        "refused": TopicChoice.objects.filter(member=member, wanted=False).select_related("topic").order_by("topic"),
        "pace": pace_name(wish),
        "first": wish.get_first_channel_display() if wish else "",
        "rooms": [(label, room) for label, room in rooms if room.left is not None],
    }


def _send_again(member: "Member", at: datetime, request: HttpRequest) -> None:
    waiting = {str(row.pk): row for row in pending_of(member.pk, at).values()}
    try:
        if row := waiting.get(request.POST.get("pending", "")):
            send_again(pending_id=row.pk, at=at)
    except (NotYet, TooLate):
        raise ValidationError(_("One went out a moment ago, or as many as there may be.")) from None


def register_all() -> None:
    register(
        "wishes",
        _("What they want to hear of"),
        45,
        "campaigns/admin/wishes_panel.html",
        _wishes,
        permission="campaigns.view_message",
        column=SIDE,
        acts={"send-confirmation": _send_again},
        act_permission="campaigns.change_message",
    )
