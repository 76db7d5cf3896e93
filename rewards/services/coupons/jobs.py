"""Many coupons at once: codes made, codes of a file, a coupon for everybody in a segment.

A job goes forward in chunks, each one transaction that holds the job's row and writes down how far it is. A worker that
dies leaves nothing half done; whoever comes next goes on from there.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime
from time import monotonic
from typing import IO

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from common.doorbell import ring
from common.sql import fetch_all
from members.enums import JobState
from members.queries_segments import members_of, segment_audience
from rewards.codes import MOST, PREFIX, new_codes
from rewards.enums import CouponState, IssuedBy
from rewards.models import Coupon, CouponJob, Offer
from rewards.queries_coupons import open_coupons
from rewards.services.coupons.issuing import OfferNotRunning, OutOfCodes, check_running, has_pool, issue_coupons

log = structlog.get_logger(__name__)
RUN = "rewards.tasks.run_coupon_job"
CODES, MEMBERS = 10_000, 2_000  # of a chunk
MOST_CODES = 1_000_000
MOST_LINES = 500_000
MAX_ATTEMPTS = 5
_OPEN = (JobState.QUEUED, JobState.RUNNING)
_PREFIX = re.compile(rf"[A-Z0-9]{{0,{PREFIX}}}")
_CODE = re.compile(rf"[A-Z0-9][A-Z0-9._-]{{3,{MOST - 1}}}")
_HEADINGS = {"code", "codes", "coupon", "coupons", "voucher", "券码", "优惠码", "优惠券", "代码"}


class BadPrefix(Exception):
    """Codes can begin with up to PREFIX letters from A to Z and digits, nothing else."""


class NothingToIssue(Exception):
    """Everybody in the segment has an unused coupon of the offer, or nobody is in it."""


class FileUnreadable(Exception):
    """No text in which a code stands in each line, or more than MOST_LINES of them."""


@dataclass(slots=True)
class Upload:
    """What became of a file of codes: how many came in; the first of those that stand twice in it, that are known
    already, and that can be no code, each with its line; and how many of each there are."""

    job: CouponJob | None = None
    added: int = 0
    repeated: list[tuple[int, str]] = field(default_factory=list)
    known: list[tuple[int, str]] = field(default_factory=list)
    bad: list[tuple[int, str]] = field(default_factory=list)


@transaction.atomic
def create_codes(
    *, offer_id: int, total: int, prefix: str = "", at: datetime, actor_id: int | None = None
) -> CouponJob:
    """Asks for `total` new codes in stock, to be printed or handed on. BadPrefix; OfferNotRunning where the offer has
    one code for all, or its codes come in a file; ValueError outside of 1 to MOST_CODES."""
    prefix = prefix.strip().upper()
    if not _PREFIX.fullmatch(prefix):
        raise BadPrefix
    if not 1 <= total <= MOST_CODES:
        raise ValueError(total)
    offer = Offer.objects.get(pk=offer_id)
    if offer.shared_code or has_pool(offer_id):
        raise OfferNotRunning
    job = CouponJob.objects.create(offer=offer, prefix=prefix, total=total, created_at=at, created_by_id=actor_id)
    ring(RUN, job.pk)
    return job


@transaction.atomic
def issue_to_segment(*, offer_id: int, segment_id: int, at: datetime, actor_id: int | None = None) -> CouponJob:
    """Asks for a coupon for everybody in a segment who has none of the offer that they could use. OfferNotRunning;
    SegmentNotReady; NothingToIssue; OutOfCodes."""
    offer = Offer.objects.get(pk=offer_id)
    check_running(offer, at)
    audience = segment_audience(segment_id, at=at)
    total = audience.count()
    waiting = audience.filter(~Exists(_has_one(offer_id, at))).count()
    if not waiting:
        raise NothingToIssue
    stock = Coupon.objects.filter(offer=offer_id, state=CouponState.STOCK).count()
    if has_pool(offer_id) and stock < waiting:
        raise OutOfCodes(available=stock, asked=waiting)
    job = CouponJob.objects.create(
        offer=offer, segment_id=segment_id, total=total, created_at=at, created_by_id=actor_id
    )
    ring(RUN, job.pk)
    return job


def to_issue(*, offer_id: int, segment_id: int, at: datetime) -> tuple[int, int]:
    """Of the segment, how many would get a coupon and how many have one already. SegmentNotReady."""
    audience = segment_audience(segment_id, at=at)
    total = audience.count()
    new = audience.filter(~Exists(_has_one(offer_id, at))).count()
    return new, total - new


def _has_one(offer_id: int, at: datetime):
    return open_coupons(at).filter(offer=offer_id, member=OuterRef("pk"))


def read_codes(file: IO[bytes]) -> Upload:
    """The codes of a file, one in the first cell of each line, checked, nothing written: `job` is None and `added`
    says how many would come in. FileUnreadable."""
    return _read(file)[0]


def codes_in(file: IO[bytes]) -> list[str]:
    """What stands first in each line of a file, as it stands. FileUnreadable."""
    file.seek(0)
    raw = file.read()
    for encoding in ("utf-16", "utf-8-sig") if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "gb18030"):
        try:
            text = raw.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise FileUnreadable
    if "\0" in text:
        raise FileUnreadable
    lines = text.splitlines()
    if len(lines) > MOST_LINES:
        raise FileUnreadable
    return [re.split("[,;\t]", line.strip(), maxsplit=1)[0].strip().strip("\"'").strip() for line in lines]


def _read(file: IO[bytes]) -> tuple[Upload, list[str]]:
    upload = Upload()
    codes: dict[str, None] = {}
    lines: dict[str, int] = {}
    for n, told in enumerate(codes_in(file), 1):
        code = told.upper()
        if not code or (n == 1 and code.lower() in _HEADINGS):
            continue
        if not _CODE.fullmatch(code):
            upload.bad.append((n, code[:40]))
        elif code in codes:
            upload.repeated.append((n, code))
        else:
            codes[code] = None
            lines[code] = n
    taken = fetch_all(
        "SELECT code FROM rewards_coupon WHERE code = ANY(%(codes)s)"
        " UNION SELECT upper(shared_code) FROM rewards_offer WHERE upper(shared_code) = ANY(%(codes)s)",
        {"codes": list(codes)},
    )
    for (code,) in taken:
        upload.known.append((lines[code], code))
        del codes[code]
    upload.known.sort()
    upload.added = len(codes)
    return upload, list(codes)


_STOCK = """
INSERT INTO rewards_coupon (code, offer_id, job_id, state, issued_by, why)
SELECT code, %(offer)s, %(job)s, 'stock', '', '{}' FROM unnest(%(codes)s::text[]) AS told (code)
ON CONFLICT DO NOTHING RETURNING id
"""


@transaction.atomic
def upload_codes(*, offer_id: int, file: IO[bytes], at: datetime, actor_id: int | None = None) -> Upload:
    """Takes the codes of a file into stock, in one go. From then on the offer's codes come from files alone.

    OfferNotRunning where the offer has one code for all; FileUnreadable.
    """
    offer = Offer.objects.select_for_update().get(pk=offer_id)
    if offer.shared_code:
        raise OfferNotRunning
    upload, codes = _read(file)
    if not codes:
        return upload
    upload.job = CouponJob.objects.create(
        offer=offer, uploaded=True, total=len(codes), state=JobState.DONE, created_at=at, created_by_id=actor_id,
        skipped=len(upload.bad) + len(upload.repeated) + len(upload.known),
    )  # fmt: skip
    params = {"offer": offer_id, "job": upload.job.pk, "codes": codes}
    upload.job.done = upload.added = len(fetch_all(_STOCK, params))
    upload.job.save(update_fields=["done"])
    return upload


@transaction.atomic
def cancel_job(*, job_id: int) -> bool:
    """Stops a job after its chunk; what is made stays. False where it has ended."""
    return bool(CouponJob.objects.filter(pk=job_id, state__in=_OPEN).update(state=JobState.CANCELLED))


def resume_jobs() -> None:
    """Wakes a worker for every job that is not done."""
    for job_id in CouponJob.objects.filter(state__in=_OPEN).order_by("pk").values_list("pk", flat=True):
        ring(RUN, job_id)


def run_job(*, job_id: int, seconds: float = 240) -> None:
    """Works on a job until it is done, another worker has it, or the time is over. An error that was not foreseen is
    raised, and after a few attempts the job is given up."""
    until = monotonic() + seconds
    try:
        while _step(job_id) and monotonic() < until:
            pass
    except (OutOfCodes, OfferNotRunning) as refused:
        _fail(job_id, "out_of_codes" if isinstance(refused, OutOfCodes) else "not_running")
    except Exception as error:
        log.exception("coupons stopped", job=job_id)
        job = CouponJob.objects.get(pk=job_id)
        CouponJob.objects.filter(pk=job_id).update(attempts=job.attempts + 1)
        if job.attempts + 1 >= MAX_ATTEMPTS:
            _fail(job_id, str(error)[:500])
        raise


def _fail(job_id: int, error: str) -> None:
    CouponJob.objects.filter(pk=job_id, state__in=_OPEN).update(state=JobState.FAILED, error=error)


@transaction.atomic
def _step(job_id: int) -> bool:
    """One chunk; whether there is more to do."""
    jobs = CouponJob.objects.select_for_update(skip_locked=True, of=("self",)).filter(state__in=_OPEN)
    job = jobs.filter(pk=job_id).first()
    if job is None:
        return False
    job.state, job.attempts = JobState.RUNNING, 0
    more = _make(job) if job.segment_id is None else _issue(job)
    if not more:
        job.state = JobState.DONE
    job.save(update_fields=["state", "attempts", "done", "skipped", "last_id"])
    return more


def _make(job: CouponJob) -> bool:
    codes = new_codes(min(CODES, job.total - job.done), job.prefix)
    job.done += len(fetch_all(_STOCK, {"offer": job.offer_id, "job": job.pk, "codes": codes}))
    return job.done < job.total


def _issue(job: CouponJob) -> bool:
    at = timezone.now()  # of this chunk: the job was asked for a while ago
    members = members_of(job.segment_id).filter(pk__gt=job.last_id).order_by("pk")  # type: ignore[arg-type]
    chunk = list(members.annotate(has_one=Exists(_has_one(job.offer_id, at))).values_list("pk", "has_one")[:MEMBERS])
    new = [pk for pk, has_one in chunk if not has_one]
    issued = issue_coupons(
        offer_id=job.offer_id,
        member_ids=new,
        keys=[f"job:{job.pk}:{pk}" for pk in new],
        issued_by=IssuedBy.SEGMENT,
        at=at,
        actor_id=job.created_by_id,
        job_id=job.pk,
    )
    job.done += len(issued)
    job.skipped += len(chunk) - len(issued)
    if chunk:
        job.last_id = chunk[-1][0]
    return len(chunk) == MEMBERS
