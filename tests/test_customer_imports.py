"""Customers from files: what a row does to its member, what is bad about it, and how all of it is taken back."""

import pytest

from members.enums import ImportState
from members.models import Consent, Identity, Member, MemberTag, Tag, TimelineEvent
from members.tests.factories import make_member
from tests.customer_files import AT, bring_in, counts, sentences, take_back

pytestmark = pytest.mark.django_db
HEAD = "email,name,phone,city,birthday,tags\n"


def test_new_members_come_in_whole():
    done = bring_in(
        "e-mail,first name,last name,phone,street,zip,city,country,birthday,language,member since,tags,"
        "customer number\n"
        "ADA@Example.com,Ada,Lovelace,+44 20 7946 0018,1 Mill St,EC1,London,United Kingdom,1985-12-10,English,"
        '2024-03-01,"vip, coffee",C-1\n'
        "li@example.com,丽,王,+8613800138000,,,上海,中国,农历八月十五,中文,,,C-2\n",
        key="email",
    )
    assert (sentences(done), counts(done)) == ({}, (2, 2, 0, 0, 0, 0))
    ada, li = Member.objects.order_by("id")
    assert (ada.name, ada.email, str(ada.phone), ada.country) == (
        "Ada Lovelace",
        "ada@example.com",
        "+442079460018",
        "GB",
    )
    assert (ada.street, ada.postal_code, ada.city, ada.language) == ("1 Mill St", "EC1", "London", "en")
    assert (ada.birthday_year, ada.birthday_month, ada.birthday_day) == (1985, 12, 10)
    assert ada.joined_at.date().isoformat() == "2024-03-01"
    assert sorted(ada.tags.values_list("tag__name", flat=True)) == ["coffee", "vip"]
    assert list(ada.identities.values_list("system", "value")) == [("shop", "C-1")]
    assert (li.name, li.language, li.country, li.joined_at) == ("王丽", "zh-hans", "CN", AT)
    assert (li.birthday_calendar, li.birthday_month, li.birthday_day, li.birthday_year) == ("lunar", 8, 15, None)
    joined = TimelineEvent.objects.filter(kind="member.joined")
    assert [e.data for e in joined] == [{"source": "shop", "customer_import": done.pk}] * 2
    assert len(ada.card_number) == 12


def test_the_same_file_again_changes_nothing():
    content = HEAD + "a@example.com,Ada,+49 30 123456,Berlin,1985-12-10,vip\nb@example.com,Bea,,,,\n"
    assert counts(bring_in(content)) == (2, 2, 0, 0, 0, 0)
    events = TimelineEvent.objects.count()
    assert counts(bring_in(content)) == (2, 0, 0, 2, 0, 0)
    assert TimelineEvent.objects.count() == events


def test_members_there_are_change_and_empty_cells_leave_what_there_is():
    ada = make_member(email="a@example.com", name="Ada", city="Berlin", birthday_month=5, birthday_day=12)
    done = bring_in(HEAD + "A@example.com,Ada L.,,,,\n")
    assert counts(done) == (1, 0, 1, 0, 0, 0)
    ada.refresh_from_db()
    assert (ada.name, ada.city, ada.birthday_month) == ("Ada L.", "Berlin", 5)
    event = TimelineEvent.objects.get(kind="member.profile_changed")
    assert event.data["fields"] == ["name"]


def test_empty_cells_empty_the_field_where_somebody_says_so():
    ada = make_member(email="a@example.com", name="Ada", city="Berlin", birthday_month=5, birthday_day=12)
    bring_in(HEAD + "a@example.com,Ada,,,,\n", clear_empty=True)
    ada.refresh_from_db()
    assert (ada.name, ada.city, ada.birthday_month, ada.email) == ("Ada", "", None, "a@example.com")


def test_a_year_that_the_file_does_not_know_stays():
    ada = make_member(email="a@example.com", birthday_month=5, birthday_day=12, birthday_year=1985)
    assert counts(bring_in("email,birthday\na@example.com,5月12日\n")) == (1, 0, 0, 1, 0, 0)
    bring_in("email,birthday\na@example.com,5月13日\n")
    ada.refresh_from_db()
    assert (ada.birthday_day, ada.birthday_year) == (13, None)


@pytest.mark.parametrize(
    ("mode", "expected"), [("both", (2, 1, 1, 0, 0, 0)), ("create", (2, 1, 0, 0, 1, 0)), ("update", (2, 0, 1, 0, 0, 1))]
)
def test_what_rows_may_do(mode, expected):
    make_member(email="a@example.com", name="Ada")
    done = bring_in("email,name\na@example.com,Ada L.\nb@example.com,Bea\n", mode=mode)
    assert counts(done) == expected
    if mode == "update":
        assert sentences(done) == {3: "No member has this e-mail: b@example.com."}


def test_all_faults_of_a_row_are_told():
    done = bring_in("email,phone,birthday,language\nnobody,123,2026-02-30,klingon\n", date_order="ymd")
    words = sentences(done)[2]
    for part in ("nobody", "“123”", "2026-02-30", "klingon"):
        assert part in words
    assert done.problem_counts.keys() == {"email_unreadable", "phone_no_country", "date_unreadable", "language_unknown"}


def test_an_address_belongs_to_one_member():
    make_member(email="a@example.com", phone="+49301234567")
    done = bring_in("customer,email,phone\nC1,new@example.com,+49301234567\nC2,x@example.com,\nC3,X@example.com,\n")
    assert counts(done) == (3, 1, 0, 0, 0, 2)
    assert sentences(done) == {
        2: "The phone +49301234567 belongs to another member.",
        4: "Row 3 of this file has the same e-mail: x@example.com.",
    }


def test_an_import_is_taken_back():
    ada = make_member(email="a@example.com", name="Ada", city="Berlin")
    before = Member.objects.values().get(pk=ada.pk)
    content = (
        "email,name,city,tags,customer,newsletter,consent date\n"
        "a@example.com,Ada L.,Rome,vip,C1,yes,2025-01-02\nb@example.com,Bea,Paris,vip,C2,yes,2025-01-02\n"
    )
    done = bring_in(content, key="email", consent_source="old shop")
    assert counts(done) == (2, 1, 1, 0, 0, 0)
    assert Consent.objects.count() == 2
    back = take_back(done)
    assert (back.state, back.removed, back.restored, back.kept) == (ImportState.DONE, 1, 1, 0)
    after = Member.objects.values().get()
    changed = {k for k in before if before[k] != after[k]}
    assert changed <= {"updated_at"}
    assert (Identity.objects.count(), MemberTag.objects.count(), Tag.objects.count()) == (0, 0, 1)
    words = list(Consent.objects.order_by("id").values_list("granted", "source"))
    assert words == [(True, "old shop"), (False, "import taken back")]
    again = bring_in(content, key="email", consent_source="old shop")
    assert counts(again) == (2, 1, 1, 0, 0, 0)
