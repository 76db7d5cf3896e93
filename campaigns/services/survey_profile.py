"""What questions of surveys can say of whom they ask: the merge fields of messages that are of a member, and their
language."""

from collections.abc import Mapping
from datetime import datetime

from django.utils.translation import gettext, override

from campaigns import merge
from campaigns.merge import Recipient
from campaigns.queries import zone_of
from members.enums import Language
from members.models import Member
from surveys.piping import Profile, register

SPACES = ("member", "points", "tier", "membership", "programme")
LANGUAGE = "member.language"


def _fields() -> list[tuple[str, str]]:
    own = [(name, str(one.label)) for name, one in merge.fields().items() if name.partition(".")[0] in SPACES]
    return [*own, (LANGUAGE, gettext("Language"))]


def _told(member: Member, language: str, at: datetime) -> Mapping[str, str]:
    day = at.astimezone(zone_of(member)).date()
    with override(language):
        (values,) = merge.values([Recipient(member, language, at, day)], SPACES)
        return _flat(values) | {LANGUAGE: str(Language(member.language).label)}


def _samples() -> Mapping[str, str]:
    samples = merge.samples()
    return _flat({space: samples[space] for space in SPACES}) | {LANGUAGE: str(Language.ENGLISH.label)}


def _flat(values: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    return {f"{space}.{name}": str(value) for space, own in values.items() for name, value in own.items()}


def register_all() -> None:
    """Called once, when the app is ready."""
    register(Profile(_fields, _told, _samples))
