"""A dirty file of 10,000 rows is brought in, taken back, and brought in again: every count is exact."""

import csv
from collections import Counter

import pytest
from django.test import Client

from members.enums import AttributeKind, Channel, ImportState, Purpose
from members.models import Attribute, Consent, ConsentState, ImportedMember, Member, MemberTag, TimelineEvent, User
from members.services.attributes import define_attribute
from members.tests.factories import make_member
from tests.customer_files import bring_in, counts, take_back
from tests.dirty_customers import ROWS, dirty_customers

pytestmark = pytest.mark.django_db(transaction=True)  # each import commits, as it does in life


@pytest.fixture
def known() -> list[Member]:
    """Hundred of them are members already, some with a name of their own."""
    define_attribute(key="milk", label_en="Milk", kind=AttributeKind.CHOICE, options=[{"key": "oat", "en": "Oat"}])
    return [make_member(email=f"kunde{i}@example.com", name="Before", city="Rom") for i in range(0, ROWS, 100)]


def everything() -> dict[str, list[tuple]]:
    """All that an import can touch, without what may not be rewritten."""
    rows = Member.objects.order_by("id").values("id", "name", "email", "phone", "city", "birthday_month",
                                                "birthday_year", "attributes", "personalised", "joined_at")  # fmt: skip
    return {
        "members": [tuple(row.values()) for row in rows.iterator()],
        "tags": list(MemberTag.objects.values_list("member", "tag")),
        "agreed": list(ConsentState.objects.filter(granted=True).values_list("member", "purpose")),
        "options": list(Attribute.objects.values_list("key", "options")),
    }


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_in_and_out_and_in_again(known, encoding):
    file = dirty_customers()
    data = file.text.encode(encoding)
    # GB18030 knows every sign there is, so that the accents survive.
    choices = {"consent_source": "alter Shop", "key": "email"}
    before = everything()

    tried = bring_in(data, dry_run=True, **choices)
    assert everything() == before
    expected = (ROWS, file.good - file.known, file.known, 0, 0, file.bad.total())
    assert counts(tried) == expected
    assert Counter(tried.problem_counts) == file.bad

    done = bring_in(data, **choices)
    assert counts(done) == expected
    assert (done.problem_counts, done.layout["encoding"]) == (tried.problem_counts, encoding)
    assert Member.objects.count() == len(known) + file.good - file.known
    agreed = ConsentState.objects.filter(channel=Channel.EMAIL, purpose=Purpose.OFFERS, granted=True)
    assert agreed.count() == Consent.objects.count() == file.good
    assert MemberTag.objects.count() == 2 * file.good
    assert TimelineEvent.objects.filter(kind="member.joined", data__customer_import=done.pk).count() == done.created
    assert counts(bring_in(data, **choices)) == (ROWS, 0, 0, file.good, 0, file.bad.total())
    if encoding != "gb18030":
        return  # what was read is the same from here on

    mended = mend(done)
    again = bring_in(mended, **choices, mapping={**done.mapping})
    assert counts(again)[1] == file.bad["formula"]

    for one in (again, done):
        back = take_back(one)
        assert (back.state, back.kept) == (ImportState.DONE, 0), ImportedMember.objects.exclude(kept="").first()
        assert (back.removed, back.restored) == (one.created, one.updated)
    after = everything()
    assert {**after, "members": [row[1:] for row in after["members"]]} == {
        **before,
        "members": [row[1:] for row in before["members"]],
    }

    repeated = bring_in(data, **choices)
    assert counts(repeated) == expected


def mend(done) -> bytes:
    """The file of bad rows as staff download it, with the formulas mended."""
    staff = User.objects.create_superuser("chief@example.com", "x")
    client = Client()
    client.force_login(staff, backend="django.contrib.auth.backends.ModelBackend")
    response = client.get(f"/admin/members/customerimport/{done.pk}/bad-rows.csv")
    rows = list(csv.reader(b"".join(response.streaming_content).decode("utf-8-sig").splitlines()))
    assert len(rows) == done.problems + 1
    assert rows[0][-1] == "problem"
    kept = [rows[0], *(row for row in rows[1:] if "formula" in row[-1])]
    for row in kept[1:]:
        row[1] = "Ada"
    return "\n".join(",".join(f'"{cell}"' for cell in row) for row in kept).encode() + b"\n"
