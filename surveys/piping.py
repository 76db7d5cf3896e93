"""What else than a name a question may say of whom it asks: “{{ member.city }}”. A higher app that knows members
registers; without one there is the name alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from members.models import Member


@dataclass(frozen=True, slots=True)
class Profile:
    """`fields()` are (name, label) of what can be said; `told(member, language, at)` says it, as text in that language;
    `samples()` stands in its place where nobody is asked."""

    fields: Callable[[], list[tuple[str, str]]]
    told: Callable[[Member, str, datetime], Mapping[str, str]]
    samples: Callable[[], Mapping[str, str]]


_profiles: list[Profile] = []


def register(profile: Profile) -> None:
    if _profiles:
        raise ValueError("somebody tells of members already")
    _profiles.append(profile)


def fields() -> list[tuple[str, str]]:
    return _profiles[0].fields() if _profiles else []


def told(member: Member, language: str, at: datetime) -> Mapping[str, str]:
    return _profiles[0].told(member, language, at) if _profiles else {}


def samples() -> Mapping[str, str]:
    return _profiles[0].samples() if _profiles else {}
