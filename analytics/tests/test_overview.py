from datetime import UTC, datetime

import pytest
from django.utils.translation import override

from analytics.queries import with_overview
from members.models import Member
from members.tests.factories import make_member
from rewards.models import Tier
from rewards.tests.factories import make_rule, make_tiers, post

pytestmark = pytest.mark.django_db


def tier_name(language: str) -> str | None:
    with override(language):
        return with_overview(Member.objects.all()).get().tier_name


def test_the_tier_is_named_in_the_readers_language():
    make_rule()
    make_tiers()
    post(make_member(), datetime(2026, 5, 12, 9, 0, tzinfo=UTC))

    assert (tier_name("en"), tier_name("zh-hans")) == ("Bronze", "铜卡")

    Tier.objects.update(name_zh_hans="")
    assert tier_name("zh-hans") == "Bronze"
