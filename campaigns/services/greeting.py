"""The settings of the birthday greeting."""

from datetime import datetime

from django.db import transaction

from campaigns.enums import CampaignKind, CampaignPurpose, CampaignState
from campaigns.models import BirthdayGreeting, Campaign

EDITABLE = (
    "active",
    "send_hour",
    "days_ahead",
    "gift_points",
    "gift_valid_days",
    "catch_up_hours",
    "subject_en",
    "subject_zh_hans",
    "body_en",
    "body_zh_hans",
)

SUBJECT_EN = "Happy birthday{% if member.name != '' %}, {{ member.name }}{% endif %}!"
BODY_EN = """\
Dear {{ member.name | default: "friend" }},

all of us at {{ programme.name }} wish you a very happy birthday, and a year full of good things.

{% if gift.points > 0 %}Please enjoy our gift: {{ gift.points }} points, already on your card\
{% if gift.expires_on != '' %} and yours to spend until {{ gift.expires_on }}{% endif %}.{% endif %}

We look forward to seeing you soon.
"""
SUBJECT_ZH = "{% if member.name != '' %}{{ member.name }}，{% endif %}生日快乐！"
BODY_ZH = """\
{{ member.name | default: "亲爱的会员" }}，您好！

{{ programme.name }}全体伙伴祝您生日快乐，新的一岁平安喜乐、万事顺意。

{% if gift.points > 0 %}我们为您准备了一份生日礼：{{ gift.points }}积分，已存入您的会员卡\
{% if gift.expires_on != '' %}，有效期至{{ gift.expires_on }}{% endif %}。{% endif %}

期待与您早日相见。
"""


def get_greeting() -> BirthdayGreeting:
    """The settings; made with good texts, and switched off, where there are none yet."""
    return BirthdayGreeting.objects.get_or_create(
        pk=1,
        defaults={
            "subject_en": SUBJECT_EN,
            "body_en": BODY_EN,
            "subject_zh_hans": SUBJECT_ZH,
            "body_zh_hans": BODY_ZH,
        },
    )[0]


def birthday_campaign() -> Campaign:
    """What the greetings hang on. It runs as long as the greeting is switched on."""
    values = {"purpose": CampaignPurpose.GREETINGS, "state": CampaignState.PAUSED, "holdout_percent": 0}
    return Campaign.objects.get_or_create(kind=CampaignKind.BIRTHDAY, defaults=values)[0]


@transaction.atomic
def save_greeting(*, greeting: BirthdayGreeting, at: datetime) -> BirthdayGreeting:
    """Saves what people may edit. Switching it on starts with today's birthdays: none before count as missed.

    ValidationError, by field, where a value or a text cannot be.
    """
    greeting.pk = 1
    greeting.full_clean(validate_unique=False, validate_constraints=False)
    get_greeting()
    was_active = BirthdayGreeting.objects.select_for_update().values_list("active", flat=True).get(pk=1)
    changed = list(EDITABLE)
    if greeting.active and not was_active:
        greeting.active_since = greeting.last_checked_at = at
        changed += ["active_since", "last_checked_at"]
    greeting.save(force_update=True, update_fields=changed)  # a beat may have moved last_checked_at meanwhile
    state = CampaignState.RUNNING if greeting.active else CampaignState.PAUSED
    Campaign.objects.filter(pk=birthday_campaign().pk).update(state=state)
    return greeting
