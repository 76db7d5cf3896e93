"""The café's journeys: three that have run for four days, with members on them, one of whom staff led in from a case,
one stuck and one missed; and two still being drafted."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Min
from django.test.utils import override_settings

from campaigns.enums import RunState
from campaigns.models import Campaign, Journey, JourneyLog, JourneyRun, Message
from campaigns.services.delivery import deliver
from campaigns.services.journeys.by_hand import choices, start_by_hand
from campaigns.services.journeys.definitions import publish_journey
from campaigns.services.journeys.entering import hear
from campaigns.services.journeys.ready import take_ready
from campaigns.services.journeys.running import run
from members.models import TimelineEvent, User
from surveys.models import Case

_RUNNING, _DRAFTS = ("welcome", "thanks", "win-back"), ("festival", "expiring")


def lead(at: datetime, marketer: User) -> None:
    """As they stand on the day of the demo."""
    begun = at - timedelta(days=4)
    for key in (*_DRAFTS, *_RUNNING):
        made = take_ready(key=key, at=begun, actor_id=marketer.pk)
        if key in _RUNNING:
            publish_journey(journey_id=made.pk, at=begun, actor_id=marketer.pk)
    Campaign.objects.filter(kind="journey").update(holdout_percent=10, channels=["email", "app"])
    # A till was offline: what it tells only now is too late for thanks.
    once = TimelineEvent.objects.filter(kind="purchase.paid", at__gt=begun, at__lte=at).values("member")
    once = once.annotate(n=Count("pk"), first=Min("pk"), at=Min("at")).filter(n=1, at__lt=at - timedelta(hours=60))
    late: int = once.order_by("at").values_list("first", flat=True).first() or 0
    for n in range(17):
        since, until = begun + timedelta(hours=6 * (n - 1)), begun + timedelta(hours=6 * n)
        told = TimelineEvent.objects.filter(
            kind__in=["member.joined", "purchase.paid"], at__gt=max(since, begun), at__lte=until
        )
        hear(events=list(told.exclude(pk=late).order_by("at", "id")), at=until)
        run(at=until)
    hear(events=list(TimelineEvent.objects.filter(pk=late)), at=at)
    stuck = JourneyRun.objects.filter(state=RunState.ACTIVE, journey__campaign__name="Thanks after a purchase").last()
    if stuck is not None:
        error = "TemplateSyntaxError: the discount of “Thanks” is divided by zero"
        JourneyRun.objects.filter(pk=stuck.pk).update(state=RunState.STUCK, due_at=None, attempts=5, error=error)
        JourneyLog.objects.create(run=stuck, step=stuck.step, at=at, what="failed", why={"attempt": 5})


def win_back(at: datetime, marketer: User) -> None:
    """Somebody who was unhappy is led into the win-back ladder from their case, and has opened its first mail."""
    ladder = Journey.objects.get(campaign__name="Win back")
    begun = at - timedelta(hours=20)
    for case in Case.objects.filter(member__isnull=False, kind="complaint", opened_at__lt=begun).order_by("-opened_at"):
        assert case.member is not None
        if any(one.journey == ladder and one.obstacle is None for one in choices(member=case.member, at=begun)):
            break
    else:
        return
    way = start_by_hand(
        journey_id=ladder.pk, member_id=case.member.pk, key=UUID(int=2000), at=begun, actor_id=marketer.pk,
        case_id=case.pk,
    )  # fmt: skip
    run(at=begun)
    with override_settings(EMAIL_BACKEND="loyalty_crm.demo.post.Postman"):
        deliver(clock=lambda: begun)
    Message.objects.filter(campaign=ladder.pk, member=way.member_id, state="sent").update(
        delivered_at=begun, opened_at=begun + timedelta(hours=3), clicked_at=begun + timedelta(hours=3, minutes=1)
    )
