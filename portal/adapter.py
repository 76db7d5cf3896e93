"""Where signing in meets membership. allauth calls these."""

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from common.mail import sender
from members.models import Member, User
from members.queries import get_programme
from members.services.joining import claim_by_email, use_sign_in_address
from members.services.profile import record_sign_in

log = structlog.get_logger(__name__)


class AccountAdapter(DefaultAccountAdapter):
    def post_login(self, request: HttpRequest, user: User, **kwargs) -> HttpResponse:
        """Brings the card of a verified address to its owner. allauth lets nobody sign in before the address is."""
        if claim_by_email(user=user, language=get_language() or "en", at=timezone.now()):
            messages.success(request, _("Good to see you. Your card and your points are here."))
        return super().post_login(request, user, **kwargs)

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Staff who are no members work in the admin."""
        if request.user.is_staff and not Member.objects.filter(user=request.user).exists():
            return reverse("admin:index")
        return super().get_login_redirect_url(request)

    def get_from_email(self) -> str:
        return sender(get_programme().name)

    def send_mail(self, template_prefix: str, email: str, context: dict) -> None:
        """A mail server that is away is said on the page that follows, for known and unknown addresses alike."""
        try:
            super().send_mail(template_prefix, email, {"programme": get_programme(), **context})
        except OSError:
            log.exception("account mail not sent", template=template_prefix)
            messages.error(self.request, _("We could not send you mail just now. Please try again in a few minutes."))


def address_confirmed(request: HttpRequest, email_address: EmailAddress, **kwargs) -> None:
    """A member is written to at the address they sign in with.

    Where the first proof is a code for signing in, the password may be a stranger's, who signed up with this address
    hoping that its owner would come one day. It ends here.
    """
    user = email_address.user
    methods = request.session.get("account_authentication_methods", [])
    if user.last_login is None and methods and methods[-1]["method"] == "code":
        user.set_unusable_password()
        user.save(update_fields=["password"])
    member = Member.objects.filter(user=user).first()
    if member and use_sign_in_address(member=member, at=timezone.now()).email != user.email.lower():
        messages.warning(request, _("Another card has this address, so our mails still go to the old one."))


def signed_in(request: HttpRequest, user: User, **kwargs) -> None:
    """The timeline of a member says that they came."""
    record_sign_in(user_id=user.pk, at=timezone.now())
