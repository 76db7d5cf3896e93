"""What the café's members want to hear of, how much it sends at most, and a yes that waits to be confirmed."""

from datetime import datetime, timedelta
from random import Random

from campaigns.enums import GoesTo, Medium, Pace, Transport
from campaigns.models import Cap, OptInRule, Sender, Topic
from campaigns.services.opt_in import send_due
from campaigns.services.preferences import choose_topic, set_pace
from members.enums import Channel
from members.models import PRESENT, ConsentState, Identity, Member
from members.services.consent import state_consent

TOPICS = (
    ("offers", "News", "新品资讯", "New beans, new cakes, new opening hours.", "新豆、新点心、营业时间变化。"),
    ("offers", "Offers", "优惠活动", "What costs less for members this month.", "本月的会员优惠。"),
    ("offers", "Events", "线下活动", "Tastings, latte art, live music.", "品鉴会、拉花课、现场音乐。"),
    ("greetings", "Festivals", "节日问候", "Greetings on festivals.", "各个节日的问候。"),
)


def keep_wishes(at: datetime, seed: int) -> None:
    """As members and the manager left it on the day of the demo."""
    random = Random(seed)  # noqa: S311  the same each time
    topics = [
        Topic.objects.create(
            purpose=purpose, name_en=name, name_zh_hans=zh, about_en=about, about_zh_hans=about_zh, position=place
        )
        for place, (purpose, name, zh, about, about_zh) in enumerate(TOPICS)
    ]
    Cap.objects.create(number=3, days=7)
    Cap.objects.create(number=2, days=30, channel="sms")
    present = Member.objects.filter(PRESENT)
    agreed = ConsentState.objects.filter(granted=True, channel="email", purpose="offers", member__in=present)
    for member_id in agreed.order_by("member").values_list("member", flat=True)[:60]:
        said = at - timedelta(days=random.randint(1, 90))
        if random.random() < 0.5:
            topic = random.choice(topics[:3])
            choose_topic(
                member_id=member_id, topic_id=topic.pk, channel=Channel.EMAIL, wanted=False, source="portal", at=said
            )
        elif random.random() < 0.4:
            pace = random.choice([Pace.WEEKLY, Pace.MONTHLY])
            set_pace(member_id=member_id, pace=pace, source="unsubscribe link", at=said)
    _open_wechat(at)
    OptInRule.objects.create(channel="sms", purpose="offers", days=7)
    silent = present.exclude(phone="").exclude(consent_states__channel="sms").order_by("pk")
    for member in silent[:3]:
        state_consent(
            member_id=member.pk,
            channel="sms",
            purpose="offers",
            granted=True,
            source="till",
            at=at - timedelta(hours=2),
        )
    send_due(at=at - timedelta(hours=1))


def _open_wechat(at: datetime) -> None:
    """The café has an account in WeChat, and its Chinese guests follow it; what it says stays in the outbox on disk."""
    Sender.objects.update_or_create(
        channel=Medium.WEBHOOK,
        is_default=True,
        defaults={
            "label": "WeChat",
            "transport": Transport.LOG,
            "goes_to": GoesTo.IDENTITY,
            "goes_to_system": "wechat",
        },
    )
    guests = Member.objects.filter(PRESENT, language="zh-hans").order_by("pk")[:40]
    for place, member in enumerate(guests):
        Identity.objects.create(member=member, system="wechat", value=f"oDemo{place:04}cafe")
        if place % 4:
            state_consent(
                member_id=member.pk,
                channel=Channel.WEBHOOK,
                purpose="offers",
                granted=True,
                source="portal",
                at=at - timedelta(days=30 + place),
            )
