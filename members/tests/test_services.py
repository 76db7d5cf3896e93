"""Joining, changing the profile, consent, purchases."""

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, transaction

from members import queries
from members.enums import Channel, Purpose
from members.models import Consent, ConsentWording, Identity, Member, Programme, Purchase, PurchaseLine, Refund, User
from members.services.consent import state_consent
from members.services.profile import AlreadyLinked, create_member, link_account, update_profile
from members.services.purchases import MOST_MINOR, AmountOutOfRange, KeyReused, NewLine, record_purchases
from members.tests.factories import make_member, new_purchase

pytestmark = pytest.mark.django_db


def kinds(member) -> list[str]:
    return [event.kind for event in queries.timeline(member.pk)]


def test_a_new_member_gets_a_card_and_an_event(at):
    member = create_member(at=at, profile={"name": "Mei", "email": "MEI@Example.com "}, source="till")
    assert member.email == "mei@example.com"
    assert kinds(member) == ["member.joined"]
    assert len(member.card_number) == 12


@pytest.mark.parametrize(("field", "value"), [("email", "ANNA@example.com"), ("phone", "+4915112345678")])
def test_a_contact_belongs_to_one_member(at, field, value):
    make_member(email="anna@example.com", phone="+4915112345678")
    other = make_member()
    with pytest.raises(ValidationError) as refused:
        update_profile(member_id=other.pk, changes={field: value}, at=at)
    assert refused.value.message_dict.keys() == {field}
    other.refresh_from_db()
    assert getattr(other, field) != value


def test_a_customer_number_belongs_to_one_member(at):
    first = create_member(at=at, identity=("shop", "17"), source="shop")
    with pytest.raises(ValidationError), transaction.atomic():
        create_member(at=at, identity=("shop", "17"), source="shop")
    assert Identity.objects.get(system="shop", value="17").member == first
    assert Member.objects.count() == 1


def test_a_change_of_profile_says_which_fields_not_what(at):
    member = make_member(name="Anna")
    update_profile(member_id=member.pk, changes={"name": "Anna B.", "city": "Kiel", "language": "en"}, at=at)
    event = queries.timeline(member.pk)[0]
    assert (event.kind, event.data) == ("member.profile_changed", {"fields": ["city", "name"]})
    update_profile(member_id=member.pk, changes={"name": "Anna B."}, at=at)
    assert len(kinds(member)) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"birthday_month": 2, "birthday_day": 30},
        {"time_zone": "Nowhere/Land"},
        {"language": "tlh"},
        {"phone": "12"},
        {"email": "not an address"},
    ],
)
def test_a_profile_that_cannot_be_is_refused(at, changes):
    member = make_member()
    with pytest.raises(ValidationError):
        update_profile(member_id=member.pk, changes=changes, at=at)


def test_the_database_itself_refuses_half_a_birthday():
    member = make_member()
    with pytest.raises(DatabaseError), transaction.atomic():
        Member.objects.filter(pk=member.pk).update(birthday_month=5)


def test_a_portal_account_is_linked_once(at):
    member, user = make_member(), User.objects.create_user("a@example.com")
    link_account(member_id=member.pk, user=user, at=at)
    for pk, other in ((member.pk, User.objects.create_user("b@example.com")), (make_member().pk, user)):
        with pytest.raises(AlreadyLinked):
            link_account(member_id=pk, user=other, at=at)


def test_consent_is_a_log_and_the_last_word_counts(at):
    member = make_member()
    wording = ConsentWording.objects.create(purpose=Purpose.OFFERS, version=1, text="Send me offers.")

    def say(granted, minutes):
        return state_consent(
            member_id=member.pk,
            channel=Channel.EMAIL,
            purpose=Purpose.OFFERS,
            granted=granted,
            source="portal",
            at=at + timedelta(minutes=minutes),
        )

    assert say(False, 0) is None  # nobody asked, so nothing to take back
    assert say(True, 1).wording == wording
    assert say(True, 2) is None
    assert say(False, 3).granted is False
    assert not queries.has_consented(member_id=member.pk, channel=Channel.EMAIL, purpose=Purpose.OFFERS)
    assert kinds(member)[:2] == ["consent.withdrawn", "consent.granted"]
    state = queries.consent_state(member.pk)
    assert [(pair, c.granted) for pair, c in state.items()] == [((Channel.EMAIL, Purpose.OFFERS), False)]


def test_the_consent_log_cannot_be_rewritten(at):
    member = make_member()
    state_consent(
        member_id=member.pk, channel=Channel.EMAIL, purpose=Purpose.OFFERS, granted=True, source="till", at=at
    )
    for act in (Consent.objects.update, Consent.objects.all().delete):
        with pytest.raises(DatabaseError), transaction.atomic():
            act(**({"granted": False} if act == Consent.objects.update else {}))


def test_a_purchase_is_written_down_once(at):
    member = make_member()
    lines = (NewLine(700, "E1", "Espresso", "Coffee", Decimal(2)), NewLine(300, "C1", "Cookie"))
    told = new_purchase(member, key="1", lines=lines)
    first, again = record_purchases(purchases=[told])[0], record_purchases(purchases=[told])[0]
    assert (first.is_new, again.is_new, first.id == again.id) == (True, False, True)
    assert list(PurchaseLine.objects.order_by("id").values_list("name", "quantity", "amount_minor")) == [
        ("Espresso", Decimal("2.000"), 700),
        ("Cookie", Decimal("1.000"), 300),
    ]
    assert kinds(member).count("purchase.paid") == 1
    assert Purchase.objects.get().amount == Decimal("10.00")


@pytest.mark.parametrize(
    "change", [{"amount_minor": 1001}, {"currency": "USD"}, {"store": "Other"}, {"lines": (NewLine(1000, "X"),)}]
)
def test_a_known_key_with_another_content_is_refused_and_nothing_is_written(at, change):
    member = make_member()
    record_purchases(purchases=[new_purchase(member, key="1")])
    with pytest.raises(KeyReused, match="1"):
        record_purchases(purchases=[new_purchase(member, key="2"), new_purchase(member, key="1", **change)])
    assert list(Purchase.objects.values_list("key", flat=True)) == ["1"]


def test_a_batch_is_answered_in_its_order(at):
    member = make_member()
    record_purchases(purchases=[new_purchase(member, key="b")])
    answers = record_purchases(purchases=[new_purchase(member, key=key) for key in "cba"])
    assert [a.is_new for a in answers] == [True, False, True]
    keys = {p.pk: p.key for p in Purchase.objects.all()}
    assert [keys[a.id] for a in answers] == ["c", "b", "a"]


def test_the_database_refuses_to_give_back_more_than_was_paid(at):
    record_purchases(purchases=[new_purchase(make_member())])
    with pytest.raises(DatabaseError), transaction.atomic():
        Purchase.objects.update(refunded_minor=1001)


def test_what_was_bought_and_refunded_cannot_be_rewritten(at):
    record_purchases(purchases=[new_purchase(make_member(), lines=(NewLine(1000, "E1"),))])
    purchase = Purchase.objects.get()
    Refund.objects.create(purchase=purchase, source="till", key="r", amount_minor=1, refunded_at=at)
    for act in (
        lambda: Purchase.objects.update(amount_minor=1001),
        lambda: Purchase.objects.update(member=make_member()),
        lambda: Purchase.objects.update(purchased_at=at),
        lambda: Purchase.objects.all()._raw_delete(using="default"),
        lambda: PurchaseLine.objects.update(amount_minor=1),
        lambda: PurchaseLine.objects.all()._raw_delete(using="default"),
        lambda: Refund.objects.update(amount_minor=2),
        lambda: Refund.objects.all()._raw_delete(using="default"),
    ):
        with pytest.raises(DatabaseError, match="pgtrigger: Cannot"), transaction.atomic():
            act()
    Purchase.objects.update(refunded_minor=1)


@pytest.mark.parametrize("amount_minor", [-1, MOST_MINOR + 1, 10**30])
def test_an_amount_that_cannot_be_is_refused_by_name_and_nothing_is_written(at, amount_minor):
    member = make_member()
    for change in ({"amount_minor": amount_minor}, {"lines": (NewLine(-(MOST_MINOR + 1)),)}):
        with pytest.raises(AmountOutOfRange) as refused:
            record_purchases(purchases=[new_purchase(member), new_purchase(member, key="odd", **change)])
        assert refused.value.key == "odd"
    assert not Purchase.objects.exists()
    record_purchases(purchases=[new_purchase(member, amount_minor=MOST_MINOR, lines=(NewLine(-5, "voucher"),))])


def test_the_programme_is_the_one_row_whatever_the_sequence_says(at):
    with pytest.raises(DatabaseError), transaction.atomic():
        Programme.objects.create(pk=2)
    Programme.objects.create().delete()
    assert Programme.objects.create().pk == 1
    with pytest.raises(DatabaseError), transaction.atomic():
        Programme.objects.create()


@pytest.mark.django_db(transaction=True)
def test_the_same_purchase_told_by_twenty_at_once_is_one():
    told = new_purchase(make_member(), key="race")
    answers = []

    def tell():
        try:
            answers.append(record_purchases(purchases=[told])[0])
        finally:
            connection.close()

    threads = [threading.Thread(target=tell) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 20
    assert len({a.id for a in answers}) == 1
    assert sum(a.is_new for a in answers) == 1


def test_purchase_totals_are_net_and_by_currency(at):
    member = make_member()
    record_purchases(purchases=[new_purchase(member), new_purchase(member, currency="JPY", amount_minor=500)])
    Purchase.objects.filter(currency="EUR").update(refunded_minor=400)
    totals = queries.purchase_totals(member.pk)
    assert (totals.times, totals.spent_minor) == (2, {"EUR": 600, "JPY": 500})


@pytest.mark.parametrize("text", ["Lin", "lin@example.com", "+49 151 12345678", "0151 12345678", "C-17"])
def test_search_finds_by_what_people_know(at, text):
    member = create_member(
        at=at,
        profile={"name": "Mei Lin", "email": "lin@example.com", "phone": "+4915112345678"},
        identity=("shop", "C-17"),
        source="till",
    )
    make_member(name="Someone else")
    assert list(queries.search(text)) == [member]
    assert list(queries.search(member.card_number_grouped)) == [member]
