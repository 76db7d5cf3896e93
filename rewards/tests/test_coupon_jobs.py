"""Many coupons at once."""

import io
from datetime import timedelta
from itertools import count

import pytest
from django.utils import timezone

from members.enums import JobState
from members.models import Segment, SegmentMember
from members.queries_segments import SegmentNotReady
from members.tests.factories import make_member
from members.tests.killed import kill_at_call, killed_in
from rewards.enums import CouponState, IssuedBy, OfferState
from rewards.models import Coupon, CouponJob
from rewards.services.coupons import jobs
from rewards.services.coupons.issuing import OfferNotRunning, OutOfCodes, issue_coupons
from rewards.services.coupons.jobs import (
    BadPrefix,
    FileUnreadable,
    NothingToIssue,
    cancel_job,
    create_codes,
    issue_to_segment,
    run_job,
    to_issue,
    upload_codes,
)
from rewards.services.coupons.offers import set_state
from rewards.tests.coupons import issue, make_offer
from rewards.tests.factories import event_data

_names = count(1)


def make_segment(members, built=True):
    at = timezone.now()
    segment = Segment.objects.create(
        name=f"Segment {next(_names)}",
        definition={"all": []},
        built_version=1 if built else None,
        built_at=at if built else None,
        next_refresh_at=at + timedelta(hours=1),
        size=len(members),
    )
    SegmentMember.objects.bulk_create(
        [SegmentMember(segment=segment, member=member, entered_at=at) for member in members]
    )
    return segment


@pytest.mark.django_db
def test_codes_are_made_in_chunks_to_the_last(at, monkeypatch):
    monkeypatch.setattr(jobs, "CODES", 40)
    job = create_codes(offer_id=make_offer().pk, total=100, prefix="may", at=at)
    run_job(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, job.done) == (JobState.DONE, 100)
    codes = list(Coupon.objects.values_list("code", flat=True))
    assert len(set(codes)) == 100
    assert all(code.startswith("MAY") for code in codes)
    with pytest.raises(BadPrefix):
        create_codes(offer_id=job.offer_id, total=1, prefix="五月", at=at)


@pytest.mark.django_db
def test_a_file_of_codes_says_what_is_wrong_with_it(at):
    offer = make_offer()
    make_offer(shared_code="SHARED")
    issue_codes = b'code;note\nABC-1\nabc-2,"x"\n\nABC-1\nSHARED\nno way\n"ABC-3"\n'
    told = upload_codes(offer_id=offer.pk, file=io.BytesIO(issue_codes), at=at)
    assert (told.added, told.repeated, told.known, told.bad) == (3, [(5, "ABC-1")], [(6, "SHARED")], [(7, "NO WAY")])
    again = upload_codes(offer_id=offer.pk, file=io.BytesIO(issue_codes), at=at)
    assert (again.added, again.job, len(again.known)) == (0, None, 4)
    with pytest.raises(FileUnreadable):
        upload_codes(offer_id=offer.pk, file=io.BytesIO(b"\x00\x01\x02\xff" * 50), at=at)


@pytest.mark.django_db
def test_codes_of_a_file_are_handed_out_until_there_are_none(at):
    offer = make_offer()
    upload_codes(offer_id=offer.pk, file=io.BytesIO("PARK-1\r\nPARK-2".encode("utf-16")), at=at)
    anna, ben, cem = make_member(), make_member(), make_member()
    assert [issue(offer, anna).code, issue(offer, ben).code] == ["PARK-1", "PARK-2"]
    with pytest.raises(OutOfCodes) as refused:
        issue(offer, cem)
    assert (refused.value.available, refused.value.asked) == (0, 1)
    with pytest.raises(OfferNotRunning):  # nobody could tell the made ones from those of the file
        create_codes(offer_id=offer.pk, total=5, at=at)


@pytest.mark.django_db
def test_a_segment_gets_one_each_and_who_has_one_is_left_out(monkeypatch):
    monkeypatch.setattr(jobs, "MEMBERS", 2)
    at, members, offer = timezone.now(), [make_member() for _n in range(5)], make_offer()
    segment = make_segment(members)
    issue(offer, members[0], at)
    assert to_issue(offer_id=offer.pk, segment_id=segment.pk, at=at) == (4, 1)
    job = issue_to_segment(offer_id=offer.pk, segment_id=segment.pk, at=at)
    run_job(job_id=job.pk)
    run_job(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, job.total, job.done, job.skipped) == (JobState.DONE, 5, 4, 1)
    assert [Coupon.objects.filter(member=member).count() for member in members] == [1] * 5
    assert len(event_data(members[1], "coupon.issued")) == 1
    with pytest.raises(NothingToIssue):
        issue_to_segment(offer_id=offer.pk, segment_id=segment.pk, at=at)
    with pytest.raises(SegmentNotReady):
        issue_to_segment(offer_id=offer.pk, segment_id=make_segment(members, built=False).pk, at=at)


@pytest.mark.django_db
def test_a_job_ends_where_it_is_cancelled_or_the_offer_is_paused(monkeypatch):
    monkeypatch.setattr(jobs, "MEMBERS", 2)
    at, offer = timezone.now(), make_offer()
    segment = make_segment([make_member() for _n in range(5)])
    job = issue_to_segment(offer_id=offer.pk, segment_id=segment.pk, at=at)
    run_job(job_id=job.pk, seconds=0)
    assert cancel_job(job_id=job.pk)
    run_job(job_id=job.pk)
    assert (Coupon.objects.count(), cancel_job(job_id=job.pk)) == (2, False)
    job = issue_to_segment(offer_id=offer.pk, segment_id=segment.pk, at=at)
    set_state(offer_id=offer.pk, state=OfferState.PAUSED)
    run_job(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, job.error) == (JobState.FAILED, "not_running")


def issue_and_die(job_id):
    jobs.MEMBERS = 3
    kill_at_call(jobs, "issue_coupons", 3)  # everything of the third chunk is written but not committed
    run_job(job_id=job_id)


@pytest.mark.django_db(transaction=True)
def test_a_job_that_is_killed_goes_on_and_gives_each_member_one(monkeypatch):
    monkeypatch.setattr(jobs, "MEMBERS", 3)
    members = [make_member() for _n in range(10)]
    offer = make_offer()
    job = issue_to_segment(offer_id=offer.pk, segment_id=make_segment(members).pk, at=timezone.now())
    killed_in(issue_and_die, job.pk)
    assert Coupon.objects.count() == 6
    run_job(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, job.done) == (JobState.DONE, 10)
    assert [Coupon.objects.filter(member=member).count() for member in members] == [1] * 10
    assert [len(event_data(member, "coupon.issued")) for member in members] == [1] * 10


@pytest.mark.django_db
def test_many_are_issued_in_a_constant_number_of_statements(at, django_assert_num_queries):
    offer = make_offer()
    members = [make_member().pk for _n in range(50)]
    with django_assert_num_queries(10):
        issue_coupons(
            offer_id=offer.pk, member_ids=members, keys=[f"k{n}" for n in members], issued_by=IssuedBy.RULE, at=at
        )
    assert Coupon.objects.filter(state=CouponState.ISSUED).count() == 50
    assert CouponJob.objects.count() == 0
