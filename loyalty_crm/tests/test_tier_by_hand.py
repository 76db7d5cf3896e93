"""A tier that a manager gives on the member page: asked once, said in words, kept with its reason."""

import html
import re
import uuid
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.timezone import localdate

from members.tests.factories import make_member
from rewards.models import MemberTier, RewardSettings, TierLift
from rewards.tests.factories import make_rule, make_tiers


@pytest.fixture
def member(db):
    make_rule()
    return make_member(name="Anna Becker")


def text(answer) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode())))


def send(client, member, to, **data):
    form = {"tier": to.pk, "reason": "Sang for us", "key": str(uuid.uuid4()), **data}
    return client.post(reverse("admin:members_member_set_tier", args=[member.pk]), form, follow=True)


def test_a_manager_gives_a_tier_until_a_day_and_the_page_says_why(member, desk):
    tiers, client = make_tiers(), desk("Manager")
    day = localdate() + timedelta(days=30)
    asked = text(send(client, member, tiers["gold"], last_day=day.isoformat()))
    assert "Anna Becker: Gold until" in asked
    assert "After that day they stand on the tier that they have reached by then." in asked
    assert not TierLift.objects.exists()
    page = text(send(client, member, tiers["gold"], last_day=day.isoformat(), confirmed="1"))
    assert MemberTier.objects.get().tier == tiers["gold"]
    assert re.search(r"Set by staff .* Gold until .* Sang for us manager@example.com", page)
    assert "has reached Gold. Only a higher tier" in text(
        send(client, member, tiers["silver"], last_day=day.isoformat())
    )


def test_what_is_wrong_is_said_beside_the_field(member, desk):
    tiers, client = make_tiers(), desk("Manager")
    soon = (localdate() + timedelta(days=9)).isoformat()
    for form, words in (
        ({"last_day": ""}, "Please choose a day that is still to come."),
        ({"last_day": "2020-01-01"}, "Please choose a day that is still to come."),
        ({"last_day": "9999-12-31"}, "Please choose a day that is still to come."),
        ({"last_day": "soon"}, "Enter a valid date."),
        ({"last_day": soon, "reason": ""}, "This field is required."),
        ({"last_day": soon, "tier": tiers["bronze"].pk}, "Select a valid choice."),
        ({"last_day": soon, "tier": "x"}, "Select a valid choice."),
    ):
        for confirmed in ({}, {"confirmed": "1"}):
            assert words in text(send(client, member, tiers["gold"], **form, **confirmed)), form
    assert not TierLift.objects.exists()
    RewardSettings.objects.update(downgrade="none")
    assert "Nobody goes down here, so it has no end." in text(send(client, member, tiers["gold"], confirmed="1"))
