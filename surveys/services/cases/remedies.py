"""What a member gets so that it is good again: once for each form that was sent, within what one person may give."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q, Sum

from members.services.profile import MemberGone
from members.services.purchases import KeyReused
from rewards.enums import GrantState, IssuedBy
from rewards.models import GrantRequest, Transfer
from rewards.services.coupons.issuing import issue_coupons
from rewards.services.grants import AlreadyDecided, OwnRequest, grant_points
from surveys.enums_cases import CaseState, RemedyKind, RemedyState
from surveys.models import Case, Remedy
from surveys.queries_desk import remedy_limit
from surveys.services.cases.acting import NoSuchMove, keep
from surveys.services.cases.opening import note_change

_OF_GRANT = {
    GrantState.WAITING: RemedyState.WAITING,
    GrantState.REFUSED: RemedyState.REFUSED,
    GrantState.WITHDRAWN: RemedyState.REFUSED,
}


class NotEntitled(Exception):
    """The offer gives this member nothing: they are not in its segment."""


def _case(case_id: int) -> Case:
    case = Case.objects.select_for_update(of=("self",), no_key=True).select_related("member").get(pk=case_id)
    if case.state == CaseState.MERGED:
        raise NoSuchMove
    if case.member is None or case.member.erased_at or case.member.merged_into_id:
        raise MemberGone
    return case


def _known(key: UUID, **fields: object) -> Remedy | None:
    known = Remedy.objects.filter(key=key).first()
    if known is not None and any(getattr(known, name) != value for name, value in fields.items()):
        raise KeyReused(str(key))
    return known


def _keep(remedy: Remedy, at: datetime, actor_id: int) -> Remedy:
    remedy.save()
    note_change(remedy.case, "remedy", at=at, actor_id=actor_id, data={"remedy": remedy.pk, "kind": str(remedy.kind)})
    keep(remedy.case, at=at)
    return remedy


@transaction.atomic
def apologise(*, case_id: int, key: UUID, reason: str, at: datetime, actor_id: int) -> Remedy:
    """Puts down that the shop said sorry. KeyReused; MemberGone."""
    case = _case(case_id)
    if known := _known(key, case_id=case_id, kind=RemedyKind.APOLOGY):
        return known
    remedy = Remedy(
        key=key, case=case, kind=RemedyKind.APOLOGY, state=RemedyState.GIVEN, reason=reason, at=at, actor_id=actor_id
    )
    return _keep(remedy, at, actor_id)


@transaction.atomic
def give_points(
    *, case_id: int, key: UUID, points: int, reason: str, note: str = "", at: datetime, actor_id: int
) -> Remedy:
    """Gives points, or asks another person to agree where it is more than this one may give for one case (or by hand
    at all): it waits among the gifts by hand. KeyReused; MemberGone; ValueError for none or no reason."""
    case = _case(case_id)
    if known := _known(key, case_id=case_id, kind=RemedyKind.POINTS, points=points):
        return known
    most, _coupons = remedy_limit(actor_id)
    if most is not None:
        counted = ~Q(grant__state__in=[GrantState.REFUSED, GrantState.WITHDRAWN])
        before = case.remedies.filter(counted, kind=RemedyKind.POINTS).aggregate(n=Sum("points"))["n"] or 0
        most = max(0, most - before)
    given = grant_points(
        member_id=case.member_id,  # type: ignore[arg-type]  # _case asked
        amount=points,
        reason=f"{case.number}: {reason}"[:200],
        note=note,
        key=f"case:{key}",
        at=at,
        actor_id=actor_id,
        most=most,
    )
    grant = GrantRequest.objects.get(key=f"case:{key}")
    remedy = Remedy(
        key=key,
        case=case,
        kind=RemedyKind.POINTS,
        points=points,
        reason=reason,
        state=RemedyState.GIVEN if isinstance(given, Transfer) else RemedyState.WAITING,
        grant=grant,
        at=at,
        actor_id=actor_id,
    )
    return _keep(remedy, at, actor_id)


@transaction.atomic
def give_coupon(*, case_id: int, key: UUID, offer_id: int, reason: str, at: datetime, actor_id: int) -> Remedy:
    """Gives a coupon, or waits for another person where this one gave as many as they may. KeyReused; MemberGone;
    NotEntitled; rewards.services.coupons.issuing.OfferNotRunning; OutOfCodes."""
    case = _case(case_id)
    if known := _known(key, case_id=case_id, kind=RemedyKind.COUPON, offer_id=offer_id):
        return known
    _points, coupons = remedy_limit(actor_id)
    before = case.remedies.filter(kind=RemedyKind.COUPON).exclude(state=RemedyState.REFUSED).count()
    remedy = Remedy(
        key=key, case=case, kind=RemedyKind.COUPON, offer_id=offer_id, reason=reason, state=RemedyState.WAITING,
        at=at, actor_id=actor_id,
    )  # fmt: skip
    if before < coupons:
        _issue(remedy, at, actor_id)
    return _keep(remedy, at, actor_id)


def _issue(remedy: Remedy, at: datetime, actor_id: int) -> None:
    made = issue_coupons(
        offer_id=remedy.offer_id,  # type: ignore[arg-type]  # kept so by a constraint
        member_ids=[remedy.case.member_id],  # type: ignore[list-item]
        keys=[f"case:{remedy.key}"],
        issued_by=IssuedBy.STAFF,
        at=at,
        actor_id=actor_id,
    )
    if not made:
        raise NotEntitled
    remedy.coupon, remedy.state = made[0], RemedyState.GIVEN


@transaction.atomic
def decide(*, remedy_id: int, agreed: bool, at: datetime, actor_id: int) -> Remedy:
    """Another person agrees to a coupon, or does not. OwnRequest; AlreadyDecided; as give_coupon."""
    remedy = Remedy.objects.select_for_update(of=("self",)).get(pk=remedy_id)
    if remedy.kind != RemedyKind.COUPON or remedy.state != RemedyState.WAITING:
        raise AlreadyDecided(remedy.state)
    if remedy.actor_id == actor_id:
        raise OwnRequest
    remedy.case = _case(remedy.case_id)
    remedy.settled_at, remedy.settled_by_id = at, actor_id
    if agreed:
        _issue(remedy, at, actor_id)
    else:
        remedy.state = RemedyState.REFUSED
    remedy.save()
    what = "remedy_agreed" if agreed else "remedy_refused"
    note_change(remedy.case, what, at=at, actor_id=actor_id, data={"remedy": remedy.pk, "kind": str(remedy.kind)})
    return remedy


def standing(remedy: Remedy) -> RemedyState:
    """What became of a remedy: of points, the gift by hand knows."""
    if remedy.grant is not None:
        return _OF_GRANT.get(GrantState(remedy.grant.state), RemedyState.GIVEN)
    return RemedyState(remedy.state)
