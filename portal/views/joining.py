"""The step from an account to a card: a new one, or the one that somebody has already."""

from allauth.account.decorators import verified_email_required
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from members.enums import Channel
from members.models import Member
from members.queries import get_programme
from members.services.claims import CodeExpired, CodeWrong, TooManyClaims, confirm_claim, start_claim
from members.services.joining import join as join_club
from members.services.profile import AlreadyLinked
from portal import touches
from portal.forms import ClaimCodeForm, ClaimForm, JoinForm
from portal.limits import address_of
from portal.queries import card_elsewhere, current_wordings
from portal.views.access import AccountRequest
from referrals.queries import reading
from referrals.services.attribution import NotReferred, attribute
from referrals.words import gift_of

CLAIM_KEY = "card_claim"


def masked(email: str) -> str:
    """An address that says enough to who knows it: a•••@example.com."""
    name, _at, domain = email.rpartition("@")
    return f"{name[:1]}•••@{domain}"


@never_cache
@require_http_methods(["GET", "POST"])
@verified_email_required
def join(request: AccountRequest) -> HttpResponse:
    """Offers the choice before a card is made, so that nobody ends up with two."""
    if request.member:
        return redirect("portal:home")
    if member := card_elsewhere(request.user):  # a new card would be the next duplicate
        account = member.user and masked(member.user.email)
        return render(request, "portal/card_elsewhere.html", {"ends": member.card_number[-4:], "account": account})
    form = JoinForm(
        request.POST or None, wordings=current_wordings(), name=request.user.first_name, programme=get_programme()
    )
    if form.is_valid():
        try:
            join_club(
                user=request.user,
                name=form.cleaned_data.get("name") or request.user.first_name,
                language=get_language() or "en",
                consents=[key for key, yes in form.said().items() if yes],
                at=timezone.now(),
                source="portal",
                old_enough=form.cleaned_data.get("old_enough", False),
            )
        except AlreadyLinked:
            return redirect("portal:home")
        messages.success(request, _("Welcome! This is your card: show it whenever you pay."))
        response = redirect("portal:home")
        _note_who_brought(request, response)
        return response
    return render(request, "portal/join.html", {"form": form})


def _note_who_brought(request: AccountRequest, response: HttpResponse) -> None:
    """By whose link they came, if any; where it does not count, they have joined all the same."""
    member, at = Member.objects.filter(user=request.user).first(), timezone.now()
    came = touches.read(request)
    if member is None or not came:
        return
    touches.forget(response)
    touches.note(request, response, member_id=member.pk, at=at)
    try:
        referral = attribute(friend_id=member.pk, came=came, at=at, address=address_of(request))
    except NotReferred:
        return
    gift = gift_of(reading(referral.version_id))
    if gift:
        messages.info(request, _("From your friend, for you: %(gift)s.") % {"gift": gift})


@never_cache
@require_http_methods(["GET", "POST"])
@verified_email_required
def claim(request: AccountRequest) -> HttpResponse:
    """Asks for the card number. What follows is the same for every well-formed number."""
    if request.member:
        return render(request, "portal/claim_has_card.html")
    form = ClaimForm(request.POST or None)
    if form.is_valid():
        try:
            started = start_claim(
                user=request.user,
                card_number=form.cleaned_data["card_number"],
                channel=Channel(form.cleaned_data["channel"]),
                language=get_language() or "en",
                at=timezone.now(),
            )
        except ValidationError as wrong:
            form.add_error("card_number", wrong)
        except TooManyClaims:
            form.add_error(None, _("Too many codes were asked for. Please try again tomorrow, or ask us in the shop."))
        except AlreadyLinked:
            return redirect("portal:home")
        else:
            request.session[CLAIM_KEY] = started.pk
            return redirect("portal:claim_code")
    return render(request, "portal/claim.html", {"form": form})


@never_cache
@require_http_methods(["GET", "POST"])
@verified_email_required
def claim_code(request: AccountRequest) -> HttpResponse:
    """Asks for the code, without saying where it went or whether it went anywhere."""
    if request.member:
        return redirect("portal:home")
    claim_id = request.session.get(CLAIM_KEY)
    if claim_id is None:
        return redirect("portal:claim")
    form = ClaimCodeForm(request.POST or None)
    if form.is_valid():
        try:
            confirm_claim(claim_id=claim_id, user=request.user, code=form.cleaned_data["code"], at=timezone.now())
        except CodeWrong as wrong:
            left = wrong.args[0]
            form.add_error(
                "code",
                ngettext(
                    "That is not the code. You have %(left)s try left.",
                    "That is not the code. You have %(left)s tries left.",
                    left,
                )
                % {"left": left},
            )
        except (CodeExpired, AlreadyLinked):
            del request.session[CLAIM_KEY]
            messages.error(request, _("That code is no longer good. Please ask for a new one."))
            return redirect("portal:claim")
        else:
            del request.session[CLAIM_KEY]
            messages.success(request, _("Good to see you. Your card and your points are here."))
            return redirect("portal:home")
    return render(request, "portal/claim_code.html", {"form": form})
