"""The café's broadcasts: one that is over, with two subjects compared, one for a festival to come, one that waits for a
second person, and a draft."""

from datetime import datetime, time, timedelta

from django.test.utils import override_settings
from django.utils.timezone import localtime
from django.utils.translation import override

from campaigns.content.ready import READY
from campaigns.enums import BroadcastWhen
from campaigns.models import Broadcast, Message, Occasion, Template
from campaigns.services.broadcasts import control
from campaigns.services.broadcasts.running import run_broadcasts
from campaigns.services.delivery import deliver
from campaigns.services.templates import newest_version
from members.models import Segment, User

_SUBJECTS: tuple[dict[str, str], ...] = (
    {},
    {"en": "{{ member.name }}, something new is brewing", "zh-hans": "{{ member.name }}，店里上新了"},
)


def broadcast(at: datetime, marketer: User) -> None:
    """As the marketer left them on the day of the demo. Those with an audience of today count it now."""
    with override_settings(EMAIL_BACKEND="loyalty_crm.demo.post.Postman"):
        _new_arrivals(at - timedelta(days=12), marketer)
        _on_their_pages(at, marketer)
    _festival(at, marketer)
    _for_many(at, marketer)
    draft = _draft("Come back for a coffee", "win-back-1", marketer)
    control.edit(
        campaign_id=draft.pk,
        groups={"segments": Segment.objects.filter(name_en="Lapsing")},
        broadcast={"gift_points": 100, "gift_valid_days": 30},
    )


def _draft(name: str, template: str, marketer: User, subjects: tuple[dict[str, str], ...] = ({},)) -> Broadcast:
    made = control.create(name=name, actor_id=marketer.pk)
    with override("en"):
        name = str(READY[template].name)
    version = newest_version(Template.objects.get(name=name).pk)
    versions = [control.Version(version.pk, subject) for subject in subjects]
    return control.edit(campaign_id=made.pk, versions=versions)


def _new_arrivals(at: datetime, marketer: User) -> None:
    """To everybody, a fifth held out, so that the page of its result has something to say."""
    made = _draft("New arrivals", "new-arrivals", marketer, _SUBJECTS)
    control.edit(
        campaign_id=made.pk,
        broadcast={"everybody": True, "minimum": 50, "test_hours": 24},
        campaign={"holdout_percent": 20, "goal_days": 10},
    )
    control.ask(campaign_id=made.pk, at=at, actor_id=marketer.pk)
    run_broadcasts(clock=lambda: at)
    deliver(clock=lambda: at)
    _read(Message.objects.filter(campaign=made.pk, state="sent"), at)
    run_broadcasts(clock=lambda: at + timedelta(hours=25))
    run_broadcasts(clock=lambda: at + timedelta(hours=26))


def _on_their_pages(at: datetime, marketer: User) -> None:
    """To those with an account, as messages on their pages: an older one that was read, and one of today."""
    for name, days in (("welcome", 20), ("thanks", 0)):
        made = _draft(f"On your pages: {name}", name, marketer)
        campaign = {"channels": ["app"], "holdout_percent": 0}
        control.edit(campaign_id=made.pk, broadcast={"everybody": True}, campaign=campaign)
        then = at - timedelta(days=days, minutes=20)
        control.ask(campaign_id=made.pk, at=then, actor_id=marketer.pk)
        run_broadcasts(clock=lambda then=then: then)  # type: ignore[misc]
        deliver(clock=lambda then=then: then)  # type: ignore[misc]
    Message.objects.filter(channel="app", sent_at__lt=at - timedelta(days=1)).update(read_at=at - timedelta(days=3))


def _read(sent, at: datetime) -> None:
    """What a provider would have told: most arrived, some were opened, fewer led to a click."""
    for n, message in enumerate(sent.order_by("pk")):
        message.delivered_at = at + timedelta(minutes=2)
        if n % 5 < 2 + (message.variant == 2):
            message.opened_at = at + timedelta(hours=1 + n % 9)
        if n % 20 < 1 + 3 * (message.variant == 2):
            message.clicked_at = at + timedelta(hours=2 + n % 9)
        message.save(update_fields=["delivered_at", "opened_at", "clicked_at"])


def _festival(at: datetime, marketer: User) -> None:
    made = _draft("Spring Festival", "spring-festival", marketer)
    control.edit(
        campaign_id=made.pk,
        campaign={"purpose": "greetings", "holdout_percent": 0, "quiet_from": time(21), "quiet_until": time(8)},
        broadcast={
            "everybody": True,
            "when": BroadcastWhen.OCCASION,
            "occasion": Occasion.objects.get(key="spring-festival"),
            "days_after": -1,
            "hour": time(10),
            "gift_points": 88,
        },
    )
    control.ask(campaign_id=made.pk, at=at, actor_id=marketer.pk)


def _for_many(at: datetime, marketer: User) -> None:
    """The café lets a second person look from 100 members on."""
    settings = control.get_settings()
    settings.approval_above = 100
    settings.save()
    made = _draft("Opening hours in the holidays", "new-arrivals", marketer)
    day = localtime(at).date() + timedelta(days=5)
    control.edit(
        campaign_id=made.pk,
        broadcast={"everybody": True, "when": BroadcastWhen.LOCAL, "day": day, "hour": time(11)},
    )
    control.ask(campaign_id=made.pk, at=at, actor_id=marketer.pk)
