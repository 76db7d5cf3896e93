"""Somebody at a survey, whichever door they came by, and the cookie by which their browser is known again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from uuid import UUID, uuid4

from django.core import signing
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac

from members.models import Member
from surveys import piping
from surveys.answers import Given
from surveys.definition import Survey as Definition
from surveys.enums import Way
from surveys.models import Invitation, Response, Survey, SurveyPlace
from surveys.queries import fitting, given_in, reading

COOKIE, KEPT = "survey", 30 * 24 * 3600  # seconds


class TooMany(Exception):
    """More answers are begun from one network than people could be there."""


@dataclass
class Visit:
    """Somebody at a survey: by which way, whose invitation, and what they have begun."""

    request: HttpRequest
    survey: Survey
    way: Way
    invitation: Invitation | None = None
    response: Response | None = None
    member: Member | None = None  # who comes without an invitation: by their pages, or a link in any mail
    asked_for: str = "open"
    place: SurveyPlace | None = None
    sheet: str = ""  # its number, on paper
    drawn: UUID = field(default_factory=uuid4)  # for who comes for the first time and is not known

    @property
    def person(self) -> Member | None:
        return self.invitation.member if self.invitation else self.member

    @property
    def version_id(self) -> int:
        if self.response:
            return self.response.version_id
        return self._newest

    @cached_property
    def _newest(self) -> int:
        return self.survey.versions.get(number=self.survey.number).pk

    @property
    def read(self) -> Definition:
        return reading(self.version_id)

    @property
    def known(self) -> dict[str, Given]:
        """What was answered so far."""
        return given_in(self.response) if self.response else {}

    @property
    def uid(self) -> UUID:
        """Of the answer, from the first page on, before there is one: what is in random order is drawn with it, so it
        stays as it was seen. It travels in the page, signed; whoever is known has the same on each."""
        if self.response:
            return self.response.uid
        if self.request.method == "POST":
            try:
                return UUID(self._signer.unsign(self.request.POST.get("visit", "")))
            except (signing.BadSignature, ValueError):
                pass
        if self.person and not self.survey.anonymous:
            key = self.invitation.key if self.invitation else self.asked_for
            told = salted_hmac("surveys.visit", f"{self.survey.pk}:{self.person.pk}:{key}", algorithm="sha256")
            return UUID(bytes=told.digest()[:16], version=4)
        return self.drawn

    @property
    def signed(self) -> str:
        """The uid as it travels in the page of who is not known by their link."""
        return self._signer.sign(self.uid.hex)

    @property
    def _signer(self) -> signing.Signer:
        return signing.Signer(salt=f"surveys.visit.{self.survey.pk}")

    @property
    def seed(self) -> str:
        return str(self.uid)

    def fits(self) -> list[bool]:
        if self.response:
            return self.response.fits
        member_id = self.person.pk if self.person and not self.survey.anonymous else None
        return fitting(self.read.trees, member_id=member_id, at=timezone.now())

    @property
    def language(self) -> str:
        asked = self.request.GET.get("language") or (self.response.language if self.response else "")
        if not asked and self.person:
            asked = self.person.language
        asked = asked or getattr(self.request, "LANGUAGE_CODE", "en")
        return asked if asked in self.survey.languages else self.survey.languages[0]

    @property
    def name(self) -> str:
        return self.person.name if self.person and not self.survey.anonymous else ""

    @cached_property
    def profile(self) -> Mapping[str, str]:
        """What questions can say of them; nothing where nobody is known."""
        if self.person is None or self.survey.anonymous:
            return {}
        return piping.told(self.person, self.language, timezone.now())

    @property
    def tablet(self) -> bool:
        return self.way == Way.KIOSK

    @property
    def again(self) -> str:
        """Where the next one begins, at a tablet or with the next sheet of paper."""
        return f"{self.request.path}?new" if self.way in (Way.KIOSK, Way.PAPER) else ""


def begun(request: HttpRequest, survey: Survey) -> Response | None:
    """What this browser has begun, of which nothing but its cookie tells. With "?new" it begins anew."""
    if "new" in request.GET and request.method != "POST":
        return None
    told = request.get_signed_cookie(COOKIE, default="", max_age=KEPT)
    try:
        return Response.objects.filter(survey=survey, uid=UUID(told)).first()
    except ValueError:
        return None
