"""Members who live together."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from members import events
from members.models import PRESENT, Household, Member


class OtherHousehold(Exception):
    """The member lives in another household already; `household` says in which."""

    def __init__(self, household: Household) -> None:
        super().__init__(household.pk)
        self.household = household


@transaction.atomic
def share_household(
    *, member_id: int, with_member_id: int, at: datetime, actor_id: int | None = None, name: str = ""
) -> Household:
    """Two members live together: in the household of one of them, or in a new one called `name`.

    OtherHousehold where both have one already, and not the same. ValidationError for a member with themselves, and for
    who is merged or erased.
    """
    if member_id == with_member_id:
        raise ValidationError(_("That is the same member."))
    pair = [member_id, with_member_id]
    found = {m.pk: m for m in Member.objects.select_for_update(no_key=True).filter(PRESENT, pk__in=pair).order_by("pk")}
    if len(found) < 2:
        raise ValidationError(_("This member was merged or erased."))
    member, other = found[member_id], found[with_member_id]
    if member.household_id and other.household_id and member.household_id != other.household_id:
        raise OtherHousehold(Household.objects.get(pk=other.household_id))
    household_id = member.household_id or other.household_id
    if household_id is None:
        household_id = Household.objects.create(name=(name.strip() or str(member))[:120]).pk
    joining = [m for m in (member, other) if m.household_id is None]
    Member.objects.filter(pk__in=[m.pk for m in joining]).update(household=household_id, updated_at=at)
    data = {"household": household_id}
    events.record_many(kind=events.HOUSEHOLD_JOINED, events=[(m.pk, at, data) for m in joining], actor_id=actor_id)
    return Household.objects.get(pk=household_id)


@transaction.atomic
def leave_household(*, member_id: int, at: datetime, actor_id: int | None = None) -> None:
    """Somebody lives there no longer. A household of one is none: its last member is let out, too."""
    member = Member.objects.select_for_update(no_key=True).get(pk=member_id)
    if member.household_id is None:
        return
    household = Household.objects.select_for_update().get(pk=member.household_id)
    gone = household.pk
    others = list(Member.objects.filter(household=household).exclude(pk=member_id).values_list("pk", flat=True))
    leaving = [member_id, *others] if len(others) == 1 else [member_id]
    Member.objects.filter(pk__in=leaving).update(household=None, updated_at=at)
    if len(leaving) > len(others):
        household.delete()
    data = {"household": gone}
    events.record_many(kind=events.HOUSEHOLD_LEFT, events=[(pk, at, data) for pk in leaving], actor_id=actor_id)


@transaction.atomic
def rename_household(*, household_id: int, name: str) -> Household:
    """Another name. ValidationError where there is none."""
    household = Household.objects.select_for_update().get(pk=household_id)
    household.name = " ".join(name.split())
    household.clean_fields()
    household.save(update_fields=["name"])
    return household
