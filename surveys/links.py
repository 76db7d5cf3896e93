"""The addresses by which a person answers. What stands in them is either a number that nobody can guess, or signed."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.urls import NoReverseMatch, reverse

KEEP = timedelta(days=60)  # a link in any mail serves as long
_SALT = "surveys.links"
_SHARED = signing.Signer(salt="surveys.shared", sep=".")


class BadLink(Exception):
    """Cut off, altered, or too old."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom a signed link asks which survey; `key` names the mail, so that each is answered once."""

    survey_id: int
    member_id: int
    key: str


def _address(name: str, *args: object) -> str:
    try:
        return settings.SITE_URL + reverse(f"portal:{name}", args=args)
    except NoReverseMatch:  # a shop without the members' pages
        return settings.SITE_URL


def invitation_url(uid: UUID) -> str:
    return _address("invited", uid)


def public_url(code: str) -> str:
    return _address("survey", code)


def place_url(token: str) -> str:
    return _address("survey_place", token)


def member_url(asked: Asked) -> str:
    """A personal link for a mail that invites nobody by itself: a journey's, a broadcast's. Nothing is written until
    the answer is sent."""
    return _address("survey_for", signing.dumps([asked.survey_id, asked.member_id, asked.key], salt=_SALT))


def read_member_link(token: str) -> Asked:
    """BadLink."""
    try:
        survey_id, member_id, key = signing.loads(token, salt=_SALT, max_age=KEEP)
    except (signing.BadSignature, ValueError, TypeError) as bad:
        raise BadLink from bad
    return Asked(survey_id, member_id, key)


def shared_url(uid: UUID) -> str:
    """Of a report, for whoever has it."""
    return _address("shared_report", _SHARED.sign(uid.hex))


def read_shared(token: str) -> UUID:
    """BadLink."""
    try:
        return UUID(_SHARED.unsign(token))
    except (signing.BadSignature, ValueError) as bad:
        raise BadLink from bad
