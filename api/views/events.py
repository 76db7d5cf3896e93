"""POST /events."""

from django.http import HttpRequest, HttpResponse
from django.utils.timezone import now
from django.utils.translation import gettext_lazy, gettext_noop
from ninja import Router

from api import schemas
from api.enums import Scope
from api.services.answers import Done
from api.views.common import answer_once, call, caller, member_of, rfc3339
from api.views.purchases import earned_told, from_refusal
from members.services.custom_events import NewEvent
from rewards.earning.basket import Refusal
from rewards.services.earning.events import post_events

router = Router(tags=[gettext_noop("Events")])


@call(
    router,
    "POST",
    "/events",
    Scope.EVENTS_WRITE,
    {201: schemas.Event, 200: schemas.Event},
    summary=gettext_lazy("Tell what a member did"),
    description=gettext_lazy(
        "An event of a kind of yours: it stands on the member's timeline, segments can ask for it, and rules can "
        "reward it. The answer says what it earned. Points that wait for this kind can be spent from then on: those of "
        "the purchase whose key stands in “data” as “purchase”; without it, all of the member's that wait for it."
    ),
    operation_id="record_event",
)
def record(request: HttpRequest, body: schemas.NewEvent) -> HttpResponse:
    at, source = now(), caller(request).source

    def act() -> Done:
        event = NewEvent(
            member_id=member_of(request, body.member),
            source=source,
            key=body.key,
            kind=body.kind,
            at=body.at or at,
            data=body.data,
            told_at=body.at is not None,
        )
        (answer,) = post_events(told=[event], at=at)
        if isinstance(answer, Refusal):
            raise from_refusal(answer)
        told = {
            "event": answer.event_id,
            "key": body.key,
            "kind": body.kind,
            "at": rfc3339(event.at),
            "earned": earned_told(answer.earned),
            "points": {"spendable": answer.stand.spendable, "pending": answer.stand.pending},
        }
        return Done(201 if answer.is_new else 200, told, answer.member_id)

    return answer_once(request, "events", body.key, act)
