"""The café's broadcasts: one with three subjects whose best one went to the rest, and that clearly paid; one with two
subjects compared; one for a festival to come, one that waits for a second person, and a draft."""

from datetime import datetime, time, timedelta
from decimal import Decimal

from django.db.models import Exists, OuterRef
from django.test.utils import override_settings
from django.utils.timezone import localtime
from django.utils.translation import override

from campaigns.content.ready import READY
from campaigns.enums import BroadcastWhen, TrackKind
from campaigns.models import Broadcast, Link, Message, Occasion, Sender, Template
from campaigns.services.broadcasts import control
from campaigns.services.broadcasts.running import run_broadcasts
from campaigns.services.delivery import deliver
from campaigns.services.templates import newest_version
from campaigns.services.tracking import Request, keep
from campaigns.services.verdicts import judge
from loyalty_crm.demo import data
from members.models import Purchase, Segment, User
from members.services.purchases import NewLine, NewPurchase
from rewards.services.purchases import post_purchases

_SUBJECTS: tuple[dict[str, str], ...] = (
    {},
    {"en": "{{ member.name }}, something new is brewing", "zh-hans": "{{ member.name }}，店里上新了"},
)


def broadcast(at: datetime, marketer: User) -> None:
    """As the marketer left them on the day of the demo. Those with an audience of today count it now."""
    with override_settings(EMAIL_BACKEND="loyalty_crm.demo.post.Postman"):
        _autumn(at - timedelta(days=20), marketer)
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


_ROAST: tuple[dict[str, str], ...] = (
    {"en": "Our autumn roast is here", "zh-hans": "秋季烘焙上市"},
    {"en": "Autumn in a cup: from Monday", "zh-hans": "一杯秋天，周一上市"},
    {"en": "{{ member.name }}, the first cup is 20 points back", "zh-hans": "{{ member.name }}，首杯返20积分"},
)


def _autumn(at: datetime, marketer: User) -> None:
    """Three subjects, of which the last is opened and followed the most, so the rest got that one; and half of those
    who got the mail came for a cup that they would not have had."""
    made = _draft("Autumn roast", "new-arrivals", marketer, _ROAST)
    control.edit(
        campaign_id=made.pk,
        broadcast={"everybody": True, "minimum": 30, "test_hours": 24, "test_percent": 90, "gift_points": 20},
        campaign={"holdout_percent": 20, "goal_days": 7, "measure_opens": True},
    )
    control.ask(campaign_id=made.pk, at=at, actor_id=marketer.pk)
    run_broadcasts(clock=lambda: at)
    deliver(clock=lambda: at)
    sent = Message.objects.filter(campaign=made.pk, state="sent")
    read(sent, at, best=3, follow=8)
    for hours in (25, 26):
        then = at + timedelta(hours=hours)
        run_broadcasts(clock=lambda then=then: then)  # type: ignore[misc]
        deliver(clock=lambda then=then: then)  # type: ignore[misc]
    bought = Purchase.objects.filter(member=OuterRef("member"))  # customers they were before
    cups = [
        NewPurchase(
            member_id=message.member_id,
            source="till",
            key=f"demo-roast-{n}",
            purchased_at=at + timedelta(hours=27 + 5 * (n % 20)),
            currency=data.CURRENCY,
            amount_minor=1_450,
            store=data.STORES[n % 2],
            channel="store",
            lines=(NewLine(amount_minor=1_450, sku="ROAST", name="Autumn roast 250 g", category="Beans"),),
        )
        for n, message in enumerate(sent.filter(Exists(bought)).order_by("pk"))
        if n % 2
    ]
    post_purchases(purchases=cups, at=at + timedelta(days=6))


def _new_arrivals(at: datetime, marketer: User) -> None:
    """To everybody, a quarter held out, so that the page of its result has something to say."""
    made = _draft("New arrivals", "new-arrivals", marketer, _SUBJECTS)
    control.edit(
        campaign_id=made.pk,
        broadcast={"everybody": True, "minimum": 50, "test_hours": 24},
        campaign={"holdout_percent": 25, "goal_days": 10, "measure_opens": True},
    )
    control.ask(campaign_id=made.pk, at=at, actor_id=marketer.pk)
    run_broadcasts(clock=lambda: at)
    Sender.objects.filter(channel="email").update(message_cost=Decimal("0.002"))
    deliver(clock=lambda: at)
    read(Message.objects.filter(campaign=made.pk, state="sent"), at)
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


_PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
_GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
_DESK = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
_OPENERS = (_PHONE, _GMAIL, "Mozilla/5.0", _DESK, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Firefox/130.0")


def read(sent, at: datetime, best: int = 2, follow: int = 3) -> None:
    """Most arrived, some were opened, by people and by programs; fewer led to a click; a scanner looks at every mail to
    one company."""
    links = list(Link.objects.filter(version__in=sent.values("version")).order_by("pk").values_list("pk", flat=True))
    for n, message in enumerate(sent.order_by("pk")):
        sent.filter(pk=message.pk).update(delivered_at=at + timedelta(minutes=2))
        if n % 5 < 2 + (message.variant == best):
            _ask(message.pk, TrackKind.OPEN, at + timedelta(hours=1 + n % 9), _OPENERS[n % len(_OPENERS)])
        if n % 20 < 1 + follow * (message.variant == best):
            link = links[n % len(links)] if links else None
            _ask(message.pk, TrackKind.CLICK, at + timedelta(hours=2 + n % 9), _PHONE, link)
        if n % 25 == 7:
            for second, link in enumerate([*links[:3], None]):
                kind = TrackKind.CLICK if link else TrackKind.TRAP
                _ask(message.pk, kind, at + timedelta(seconds=20 + second), "Mozilla/5.0 (X11; Linux x86_64)", link)
    judge(at=at + timedelta(hours=24))


def _ask(message_id: int, kind: TrackKind, at: datetime, agent: str, link_id: int | None = None) -> None:
    request = Request("GET", agent, f"203.0.113.{message_id % 250}")
    keep(message_id=message_id, kind=kind, link_id=link_id, request=request, at=at)


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
