"""A file of purchases knows members by every card, address and phone of theirs, those of a merged one too."""

import pytest

from members.models import Member, Purchase
from members.services.identities import add_identity
from members.services.merging import merge_members
from members.tests.factories import make_member
from rewards.tests.factories import make_rule
from tests.import_files import AT, bring_in, counts, differences

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "content",
    [
        "card,date,amount\n{card},2026-05-01,10.00\n",
        "email,date,amount\n{email},2026-05-01,10.00\n",
        "email,date,amount\nfurther@example.com,2026-05-01,10.00\n",
        "phone,date,amount\n+4930901821,2026-05-01,10.00\n",
        "customer,card,date,amount\nK1,{card},2026-05-01,10.00\n",
        "customer,email,date,amount\nK1,further@example.com,2026-05-01,10.00\n",
    ],
)
def test_a_merged_member_s_purchases_come_to_who_they_are_now(content):
    make_rule()
    anna, double = make_member(), make_member(phone="+4930901821")
    add_identity(member_id=anna.pk, system="email", value="further@example.com", at=AT)
    merge_members(survivor_id=anna.pk, merged_id=double.pk, at=AT)
    done = bring_in(content.format(card=double.card_number, email=double.email))
    assert counts(done) == {"rows": 1, "purchases": 1, "members": 0, "points": 10, "repeats": 0, "problems": 0}
    assert Purchase.objects.get().member == anna
    assert Member.objects.count() == 2
    assert differences() == []
