"""What members see of themselves, gathered from the rooms below."""

from django.db.models import Case, F, QuerySet, Sum, Value, When

from members.models import ConsentWording, Member, MemberMerge, Purchase, User
from members.queries import find_member
from rewards.enums import AccountKind, TransferKind, Unit
from rewards.models import Account


def current_wordings() -> dict[str, ConsentWording]:
    """The wording in force per purpose."""
    latest = ConsentWording.objects.order_by("purpose", "-version").distinct("purpose")
    return {wording.purpose: wording for wording in latest}


def purchases(member_id: int) -> QuerySet[Purchase]:
    """A member's purchases, newest first, with `points`: what each gave, less what refunds took back."""
    given = Case(
        When(transfers__kind=TransferKind.EARN, then=F("transfers__amount")),
        When(transfers__kind=TransferKind.REVERSE, then=-F("transfers__amount")),
        default=Value(0),
    )
    found = Purchase.objects.filter(member_id=member_id).annotate(points=Sum(given, default=0))
    return found.prefetch_related("lines").order_by("-purchased_at", "-id")


def card_elsewhere(user: User) -> Member | None:
    """Whose card an account's card is now, where a merge of two with accounts has left this one without."""
    merges = MemberMerge.objects.filter(unlinked=user, undone_at=None).select_related("merged")
    last = merges.order_by("-at", "-id").first()
    return find_member(card=last.merged.card_number) if last else None


def has_credit(member_id: int) -> bool:
    """Whether a member ever had store credit."""
    return Account.objects.filter(member=member_id, unit=Unit.CREDIT, kind=AccountKind.WALLET).exists()
