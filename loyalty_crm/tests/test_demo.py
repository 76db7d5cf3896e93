"""The demo café."""

from io import StringIO

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command

from analytics.models import MemberScore
from api.services.keys import recognise
from campaigns.enums import MessageState
from campaigns.models import Message
from loyalty_crm.demo import data
from loyalty_crm.management.commands import demo
from members.enums import Calendar
from members.models import Consent, Member, Purchase, Refund, User
from members.tests.factories import make_member
from referrals.models import Referral
from rewards.enums import NEVER
from rewards.models import Account, EarningRule, GrantRequest, Lot, MemberTier, TierLift, Transfer
from rewards.services.verify import verify


def run(*arguments: str) -> str:
    said = StringIO()
    call_command("demo", *arguments, stdout=said)
    return said.getvalue()


@pytest.fixture
def small(monkeypatch, db) -> str:
    """The demo with fewer guests; what it said."""
    monkeypatch.setattr(demo, "GUESTS", 40)
    return run()


def test_the_demo_is_a_shop_whose_ledger_adds_up_and_whose_accounts_sign_in(small):
    assert Member.objects.filter(referral=None).count() == 50  # four came twice, four came with a file
    assert Purchase.objects.count() > 400
    assert Purchase.objects.filter(lines=None).count() == 0
    assert {"earn", "gift", "adjust", "hold", "redeem", "expire"} <= set(
        Transfer.objects.values_list("kind", flat=True)
    )
    assert Refund.objects.exists()
    assert Consent.objects.filter(granted=True, wording__isnull=False).exists()
    assert set(MemberTier.objects.values_list("tier__name_zh_hans", flat=True)) <= {zh for *_x, zh in data.TIERS}
    assert MemberTier.objects.filter(tier__rank__gt=0).exists()
    assert set(GrantRequest.objects.values_list("state", flat=True)) == {"free", "waiting", "approved", "refused"}
    assert GrantRequest.objects.get(unit="credit").transfer.amount == 250
    assert TierLift.objects.get().member.tier_status.grace_until is not None
    archived = EarningRule.objects.get(state="archived")
    assert archived.name_en == "Bean weeks"
    assert Transfer.objects.filter(rule__rule=archived).exists()
    assert Member.objects.get(email="mei@demo.example").birthday_calendar == Calendar.LUNAR
    assert Lot.objects.filter(available_from=NEVER, remaining__gt=0).exists()  # waits for a parcel
    card = Account.objects.get(kind="card", coupon__member__email="anna@demo.example")
    assert 0 < card.balance < 1000
    assert EarningRule.objects.exclude(budget_money=None).get().budget_spent > 0
    brought = Referral.objects.filter(giver__email="anna@demo.example").values_list("state", flat=True)
    assert sorted(brought) == ["held", "joined", "rewarded", "rewarded", "rewarded"]
    assert [check for check in verify() if check.difference] == []
    assert Message.objects.filter(state=MessageState.SENT).exclude(gift=None).count() > 2  # as birthdays fall
    assert Message.objects.filter(state=MessageState.SKIPPED).exists()
    assert MemberScore.objects.count() == 0  # too few customers to compare
    listed = run("--accounts")
    assert small.endswith(listed)
    *accounts, till = listed.splitlines()
    assert recognise(till.split()[-1]).source == "till"
    emails = [line.split()[0] for line in accounts]
    assert len(emails) == 5
    for email in emails:
        assert authenticate(email=email, password=data.PASSWORD) == User.objects.get(email=email)
        assert EmailAddress.objects.get(email=email, verified=True, primary=True).user.email == email
    assert Member.objects.filter(user__isnull=False).count() == 2


def test_it_fills_nothing_but_an_empty_database(db):
    assert run("--accounts") == ""
    make_member()
    assert run("--if-empty") == ""  # as on every later start
    with pytest.raises(CommandError, match="for an empty database"):
        run()
    assert (User.objects.count(), Member.objects.count()) == (0, 1)
