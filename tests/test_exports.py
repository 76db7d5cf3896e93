"""Files of members, as a worker writes them."""

import csv
from datetime import datetime, timedelta
from io import BytesIO

import pytest
from openpyxl import load_workbook

from members.enums import AccessAction, Channel, ImportState, Purpose
from members.exporting import headings
from members.models import AccessLog, ExportJob, Member
from members.services.consent import state_consent
from members.services.exports import cancel_export, create_export, delete_expired, note_download, run_export
from members.services.imports import leases
from members.services.tags import add_tag
from members.tests.factories import make_member
from tests.customer_files import AT, bring_in, counts

pytestmark = pytest.mark.django_db


def ask(columns=None, file_format="csv", members=None, language="en") -> ExportJob:
    return create_export(
        members=Member.objects.all() if members is None else members,
        name="Members",
        columns=columns or list(headings()),
        file_format=file_format,
        language=language,
        at=AT,
    )


def lines(job: ExportJob) -> list[list[str]]:
    with job.file.open("rb") as file:
        return list(csv.reader(file.read().decode("utf-8-sig").splitlines()))


def test_a_file_of_everything():
    ada = make_member(email="a@example.com", name="Ada", phone="+493012345678", birthday_month=5, birthday_day=12)
    add_tag(member_ids=[ada.pk], name="vip", at=AT)
    state_consent(member_id=ada.pk, channel=Channel.EMAIL, purpose=Purpose.OFFERS, granted=True, source="till", at=AT)
    job = ask()
    assert (job.state, job.rows) == (ImportState.QUEUED, 1)
    job = run_export(export_id=job.pk)
    assert (job.state, job.written, job.expires_at is not None) == (ImportState.DONE, 1, True)
    header, row = lines(job)
    told = dict(zip(header, row, strict=True))
    assert (told["E-mail"], told["Phone"], told["Tags"], told["Points"]) == (
        "a@example.com",
        "+493012345678",
        "vip",
        "0",
    )
    assert (told["Birthday month"], told["Offers and news · E-mail"]) == ("5", "yes")
    assert told["Offers and news · E-mail: since"] == "2026-05-12 10:00"


def test_what_was_exported_comes_in_again_unchanged():
    make_member(email="a@example.com", name="=cmd|' /C calc'!A0", phone="+493012345678", birthday_month=2,
                birthday_day=29, birthday_year=1984, city="-Berlin")  # fmt: skip
    make_member(email="li@example.com", name="王丽", birthday_calendar="lunar", birthday_month=8, birthday_day=15)
    # Each consent has a date of its own, for which a file that comes in has only one column.
    told = [column for column in headings() if not column.startswith("consent.")]
    for language in ("en", "zh-hans"):
        job = run_export(export_id=ask(language=language, columns=told).pk)
        with job.file.open("rb") as file:
            content = file.read()
        assert b",=cmd" not in content
        assert b"'=cmd" in content
        done = bring_in(content, key="card", mode="update")
        assert counts(done) == (2, 0, 0, 2, 0, 0), language


def test_only_who_is_asked_for_and_present():
    make_member(email="a@example.com", city="Berlin")
    make_member(email="b@example.com", city="Rome")
    make_member(email="c@example.com", city="Berlin")
    Member.objects.filter(email="c@example.com").update(erased_at=AT, email="", phone="")
    job = run_export(export_id=ask(["email"], members=Member.objects.filter(city="Berlin")).pk)
    assert lines(job) == [["E-mail"], ["a@example.com"]]


def test_a_sheet():
    make_member(email="a@example.com", name="=1+1", birthday_month=5, birthday_day=12)
    Member.objects.update(joined_at=AT)
    columns = ["name", "email", "points", "joined_at", "birthday_calendar", "birthday_leap_month"]
    job = run_export(export_id=ask(columns, "xlsx", language="zh-hans").pk)
    with job.file.open("rb") as file:
        content = file.read()
    _header, row = load_workbook(BytesIO(content)).active.rows
    assert [cell.value for cell in row] == ["=1+1", "a@example.com", 0, datetime(2026, 5, 12, 10, 0), "公历", "否"]  # noqa: DTZ001
    assert (row[0].data_type, row[0].quotePrefix, row[3].is_date) == ("s", True, True)
    assert counts(bring_in(content)) == (1, 0, 0, 1, 0, 0)


def test_who_asked_and_who_took_it_stands_in_the_log():
    make_member()
    job = run_export(export_id=ask(["name"]).pk)
    note_download(export_id=job.pk, at=AT, actor_id=None)
    said = list(AccessLog.objects.order_by("id").values_list("action", "what", "members"))
    assert said == [(AccessAction.EXPORTED, "members as csv", 1), (AccessAction.DOWNLOADED, "members as csv", 1)]


def test_files_go_after_their_days_and_cancelled_ones_never_come():
    make_member()
    job = run_export(export_id=ask(["name"]).pk)
    assert delete_expired(at=job.expires_at - timedelta(seconds=1)) == 0
    path = job.file.name
    assert delete_expired(at=job.expires_at) == 1
    assert not job.file.storage.exists(path)
    stopped = ask(["name"])
    cancel_export(export_id=stopped.pk, at=AT)
    assert run_export(export_id=stopped.pk).state == ImportState.CANCELLED


def test_a_dead_worker_leaves_the_file_to_the_next():
    make_member(name="Ada")
    job = ask(["name"])
    assert leases.claim(ExportJob, job.pk) is not None
    assert run_export(export_id=job.pk).state == ImportState.RUNNING  # it is in another's hands
    ExportJob.objects.filter(pk=job.pk).update(lease_until=AT)
    done = run_export(export_id=job.pk)
    assert (done.state, lines(done)[1]) == (ImportState.DONE, ["Ada"])


def test_queries_do_not_grow_with_members(django_assert_max_num_queries):
    for n in range(30):
        make_member(email=f"m{n}@example.com")
    job = ask()
    with django_assert_max_num_queries(45):
        run_export(export_id=job.pk)
