"""The panel of everything that a member is found by, and of who else they may be."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from members.enums import OWN_CARD, OWN_EMAIL, OWN_PHONE, DuplicateState
from members.models import PRESENT, Duplicate, Identity, Member
from members.panels import SIDE, register
from members.services.identities import add_identity, make_primary, remove_identity, verify_identity

OTHERS = 3
SYSTEMS: dict[str, Promise | str] = {OWN_EMAIL: _("E-mail"), OWN_PHONE: _("Phone"), OWN_CARD: _("Card")}
ELSEWHERE = "other"  # in the form: a number that another system gave


def _identities(member: Member, at: datetime, request: HttpRequest) -> dict[str, Any]:
    # Who was merged is known by their old card for ever; Django's `merged_members` are those who are this member now.
    cards = Member.objects.filter(merged_into=member).order_by("pk").values_list("card_number", flat=True)
    pairs = Duplicate.objects.filter(Q(first=member) | Q(second=member), state=DuplicateState.OPEN)
    likely = pairs.select_related("first", "second").order_by("-score")[: OTHERS + 1]
    others = [(pair, pair.second if pair.first_id == member.pk else pair.first) for pair in likely]
    return {
        "first_ones": [
            (SYSTEMS[system], value, proved)
            for system, value, proved in (
                (OWN_EMAIL, member.email, member.email_verified_at),
                (OWN_PHONE, member.phone and member.phone.as_international, member.phone_verified_at),
                (OWN_CARD, member.card_number_grouped, None),
            )
            if value
        ],
        "further": [
            (SYSTEMS.get(identity.system, identity.system), identity, identity.system in (OWN_EMAIL, OWN_PHONE))
            for identity in member.identities.order_by("system", "value")
        ],
        "old_cards": list(cards),
        "systems": [*SYSTEMS.items(), (ELSEWHERE, _("Number elsewhere"))],
        "likely": [(pair, other) for pair, other in others if other.merged_into_id is None and other.erased_at is None][
            :OTHERS
        ],
    }


def _actor(request: HttpRequest) -> int:
    return int(request.user.pk or 0)


def _add(member: Member, at: datetime, request: HttpRequest) -> None:
    system = request.POST.get("system", "")
    if system == ELSEWHERE:
        system = request.POST.get("elsewhere", "").strip()
        if not system or system in SYSTEMS:
            raise ValidationError(gettext("Please say which system gave this number, e.g. “till”."))
    elif system not in SYSTEMS:
        raise ValidationError(gettext("Please choose what it is."))
    if not Member.objects.filter(PRESENT, pk=member.pk).exists():
        raise ValidationError(gettext("This member is not there any more."))
    add_identity(
        member_id=member.pk, system=system, value=request.POST.get("value", ""), at=at, actor_id=_actor(request)
    )


def _one(member: Member, request: HttpRequest) -> int:
    """The identity that a form names, if it is this member's."""
    text = request.POST.get("identity", "")
    pk = int(text) if text.isdecimal() and len(text) < 19 else 0
    if not Identity.objects.filter(pk=pk, member=member).exists():
        raise ValidationError(gettext("Somebody else has just changed this. Please look again."))
    return pk


def _remove(member: Member, at: datetime, request: HttpRequest) -> None:
    remove_identity(identity_id=_one(member, request), at=at, actor_id=_actor(request))


def _verify(member: Member, at: datetime, request: HttpRequest) -> None:
    verify_identity(identity_id=_one(member, request), at=at, actor_id=_actor(request))


def _primary(member: Member, at: datetime, request: HttpRequest) -> None:
    try:
        make_primary(identity_id=_one(member, request), at=at, actor_id=_actor(request))
    except ValueError as error:
        raise ValidationError(gettext("Only an e-mail address or a phone can be the first one.")) from error


def register_all() -> None:
    """Called once, when the app is ready."""
    register(
        "identities",
        _("Found by"),
        15,
        "admin/member/identities.html",
        _identities,
        "members.change_member",
        SIDE,
        {"add": _add, "remove": _remove, "verify": _verify, "primary": _primary},
        "members.change_member",
    )
