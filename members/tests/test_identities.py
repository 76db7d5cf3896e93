"""What a member is found by: their cards, addresses, phones and customer numbers, each of them one member's only."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError

from members.enums import OWN_CARD, OWN_EMAIL, OWN_PHONE
from members.models import Identity, Member
from members.queries import find_member, search
from members.services.identities import add_identity, make_primary, remove_identity, verify_identity
from members.services.profile import create_member, update_profile
from members.tests.factories import JOINED, make_member

pytestmark = pytest.mark.django_db


def add(member, system, value, **values):
    return add_identity(member_id=member.pk, system=system, value=value, at=JOINED, **values)


def test_a_member_is_found_by_all_that_is_theirs():
    anna, other = make_member(phone="+4915112340001"), make_member()
    card = Member.objects.create(name="").card_number
    Member.objects.filter(card_number=card).update(card_number="000000000000")
    add(anna, OWN_EMAIL, " Anna@Work.Example ")
    add(anna, OWN_PHONE, "+49 30 901820")
    add(anna, OWN_CARD, f"{card[:4]} {card[4:]}")
    add(anna, "shop", "K-17")
    assert {i.value for i in anna.identities.all()} == {"anna@work.example", "+4930901820", card, "K-17"}
    for way in (
        {"card": anna.card_number},
        {"card": card},
        {"email": anna.email.upper()},
        {"email": "ANNA@work.example"},
        {"phone": "+4915112340001"},
        {"phone": "+49 30 901820"},
        {"identity": ("shop", "K-17")},
    ):
        assert find_member(**way) == anna, way
    for text in (anna.card_number_grouped, card, "anna@WORK.example", "+49 30 901820", "K-17", "+4915112340001"):
        assert list(search(text)) == [anna], text
    assert find_member(card=other.card_number) == other
    assert find_member(identity=("till", "K-17")) is None
    assert find_member() is None


@pytest.mark.parametrize(
    ("system", "value"), [(OWN_EMAIL, "anna"), (OWN_PHONE, "12"), (OWN_CARD, "123456789012"), ("shop", " "), ("", "1")]
)
def test_what_cannot_be_is_refused(system, value):
    with pytest.raises(ValidationError):
        add(make_member(), system, value)
    assert not Identity.objects.exists()


def test_nothing_belongs_to_two():
    anna, other = make_member(phone="+4915112340001"), make_member()
    add(anna, OWN_EMAIL, "second@example.com")
    add(anna, OWN_PHONE, "+4930901820")
    for system, value in (
        (OWN_EMAIL, anna.email.upper()),
        (OWN_EMAIL, "second@example.com"),
        (OWN_PHONE, "+4915112340001"),
        (OWN_PHONE, "+4930901820"),
        (OWN_CARD, anna.card_number),
    ):
        with pytest.raises(ValidationError) as refused:
            add(other, system, value)
        assert refused.value.code == "taken"
    for changes, field in (({"email": "Second@example.com"}, "email"), ({"phone": "+4930901820"}, "phone")):
        with pytest.raises(ValidationError) as refused:
            update_profile(member_id=other.pk, changes=changes, at=JOINED)
        assert refused.value.message_dict.keys() == {field}
        with pytest.raises(ValidationError):
            create_member(at=JOINED, profile=changes, source="test")
    assert other.identities.count() == 0


def test_the_primary_one_is_changed_for_a_further_one_and_stays_known():
    anna = make_member(email="old@example.com")
    further = add(anna, OWN_EMAIL, "new@example.com")
    verify_identity(identity_id=further.pk, at=JOINED + timedelta(days=1))
    make_primary(identity_id=further.pk, at=JOINED)
    anna.refresh_from_db()
    assert (anna.email, anna.email_verified_at) == ("new@example.com", JOINED + timedelta(days=1))
    assert [(i.value, i.verified_at) for i in anna.identities.all()] == [("old@example.com", None)]
    # What is one's own already may become the primary one by the profile, too, and is then no further one.
    update_profile(member_id=anna.pk, changes={"email": "old@example.com"}, at=JOINED)
    assert not anna.identities.filter(value="old@example.com").exists()
    number = add(anna, "shop", "K-1")
    with pytest.raises(ValueError):
        make_primary(identity_id=number.pk, at=JOINED)
    remove_identity(identity_id=number.pk, at=JOINED)
    assert find_member(identity=("shop", "K-1")) is None


def test_the_timeline_tells_which_kind_changed_and_never_the_value():
    anna = make_member()
    remove_identity(identity_id=add(anna, OWN_EMAIL, "x@example.com").pk, at=JOINED)
    told = list(anna.timeline.filter(kind="member.identity_changed").order_by("id").values_list("data", flat=True))
    assert told == [{"added": "email"}, {"removed": "email"}]
