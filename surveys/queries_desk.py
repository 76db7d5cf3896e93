"""Reads of the service desk: its clock, its targets, who may give what, who is told when a case is late."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Max, Q, QuerySet

from members.models import User
from members.queries import get_programme
from surveys.clock import Hours
from surveys.enums_cases import UNDONE, CaseState, Severity
from surveys.models import CareSettings, CareTarget, Case, CaseMessage, Category, Holiday, OpeningHours, RemedyLimit

# Business minutes to the first answer and until it is put right, where the shop has not said otherwise.
TARGETS: dict[str, tuple[int, int]] = {
    Severity.URGENT: (60, 480),
    Severity.HIGH: (240, 960),
    Severity.NORMAL: (480, 2400),
    Severity.LOW: (960, 4800),
}
COUPONS = 1  # for one case, of who has no limit of a role


def desk_hours() -> Hours:
    """When the desk is open, in the programme's time zone."""
    return Hours(
        zone=ZoneInfo(get_programme().time_zone),
        openings=tuple(OpeningHours.objects.values_list("weekday", "opens", "closes")),
        holidays=frozenset(Holiday.objects.values_list("day", flat=True)),
    )


def target(severity: str) -> tuple[int, int]:
    """Business minutes to the first answer and until it is put right."""
    own = CareTarget.objects.filter(severity=severity).first()
    return (own.answer_minutes, own.resolve_minutes) if own else TARGETS[severity]


def care_settings() -> CareSettings:
    return CareSettings.objects.filter(pk=1).first() or CareSettings(pk=1)


def remedy_limit(user_id: int) -> tuple[int | None, int]:
    """What a person may give for one case: points (None: as gifts by hand), coupons."""
    found = RemedyLimit.objects.filter(role__user=user_id).aggregate(points=Max("points"), coupons=Max("coupons"))
    if found["points"] is None:
        return None, COUPONS
    return found["points"], found["coupons"]


def told_when_late() -> list[User]:
    """Who hears of cases that are late: as the settings say, else all who may change these settings."""
    chosen = care_settings().escalate_to
    if chosen is not None and chosen.is_active:
        return [chosen]
    may = Q(groups__permissions__codename="change_caresettings", groups__permissions__content_type__app_label="surveys")
    return list(User.objects.filter(may, is_staff=True, is_active=True).distinct().order_by("pk"))


def staff() -> QuerySet[User]:
    """Who a case can be given to."""
    may = Q(groups__permissions__codename="change_case", groups__permissions__content_type__app_label="surveys")
    return User.objects.filter(may | Q(is_superuser=True), is_staff=True, is_active=True).distinct().order_by("email")


def owner_for(category_id: int | None) -> int | None:
    """With whom a new case lands: as its category says, else with whoever on duty has the fewest open cases. None where
    nobody of them is there who may work on cases."""
    able = staff().order_by()
    category = Category.objects.filter(pk=category_id).first() if category_id else None
    own = able.filter(pk=category.owner_id).first() if category and category.owner_id else None
    if own is not None:
        return own.pk
    has = Count("cases", filter=Q(cases__state__in=UNDONE), distinct=True)
    on_duty = able.filter(pk__in=CareSettings.on_duty.through.objects.values("user")).annotate(has=has)
    return on_duty.order_by("has", "pk").values_list("pk", flat=True).first()


def new_on_desk_of(user_id: int) -> int:
    """How many cases somebody has that nobody has begun."""
    return Case.objects.filter(owner=user_id, state=CaseState.NEW).count()


def late(at: datetime) -> Q:
    """Cases on which somebody should have acted by now."""
    return Q(state__in=[CaseState.NEW, CaseState.OPEN]) & (
        Q(answered_at=None, answer_due_at__lte=at) | Q(answered_at__isnull=False, resolve_due_at__lte=at)
    )


def on_the_desk(*, at: datetime) -> tuple[int, int]:
    """How many cases are open, and on how many of them somebody should have acted."""
    found = Case.objects.filter(state__in=UNDONE).aggregate(undone=Count("pk"), overdue=Count("pk", filter=late(at)))
    return found["undone"], found["overdue"]


def standing_for(case: Case) -> Case:
    """The case that a merged one went into, at the end of the chain; itself where it is none."""
    while case.merged_into is not None:
        case = case.merged_into
    return case


def talk_of(case: Case) -> QuerySet[CaseMessage]:
    """Everything that was said, with what was said in cases that went into this one, and what came with it."""
    said = CaseMessage.objects.filter(Q(case=case) | Q(case__merged_into=case))
    return said.select_related("author", "case").prefetch_related("files").order_by("at", "pk")


def file_of(talk: QuerySet[CaseMessage], kind: str, pk: int) -> tuple[Any, str]:
    """A "picture" by the number of its message, or a "file" by its own, and its name. CaseMessage.DoesNotExist."""
    if kind == "picture":
        return talk.get(pk=pk).picture, ""
    message = talk.get(files=pk)
    file = next(file for file in message.files.all() if file.pk == pk)
    return file.file, file.name
