"""The preference centre: every purpose and channel with its words, since when, and one switch each."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from campaigns.models import PendingConsent
from campaigns.queries import address_of
from campaigns.queries_preferences import Interest, interests_of, pending_of
from members.channels import offered
from members.enums import MARKETING, Purpose
from members.models import Consent, ConsentWording, Member
from members.queries import consent_state

MEANING: dict[str, Promise] = {
    Purpose.GREETINGS: _("A greeting on your birthday and on holidays, sometimes with a gift."),
    Purpose.OFFERS: _("What is new, and what costs less for members."),
    Purpose.PROFILING: _(
        "On: what you buy and read decides which offers you see first. Off: you see what everybody sees."
        " Your card, your points and your tier are the same either way."
    ),
    Purpose.SHARING: _("We pass data on only to the companies named here, and only for what is said here."),
}


@dataclass(frozen=True, slots=True)
class Switch:
    """One thing that can be on or off. `key` is "channel.purpose"; `blocked` says why it cannot be switched on;
    `waiting` is a yes that the member has to confirm; `interests` are its topics, where it is on."""

    key: str
    label: Promise | str
    on: bool
    consent: Consent | None
    blocked: str = ""
    waiting: PendingConsent | None = None
    interests: list[Interest] = field(default_factory=list)

    @property
    def since(self) -> datetime | None:
        """When it was last said; None where it never was."""
        return self.consent.at if self.consent else None


@dataclass(frozen=True, slots=True)
class Topic:
    """A purpose, what it means, the words agreed to, and its switches."""

    purpose: Purpose
    meaning: Promise | str
    wording: ConsentWording | None
    switches: list[Switch]


def topics(member: Member, wordings: dict[str, ConsentWording], at: datetime) -> list[Topic]:
    """All that the member can decide. Passing data on is shown where the shop has a wording for it, or had a yes."""
    said, waiting, interests = consent_state(member.pk), pending_of(member.pk, at), interests_of(member.pk)
    found = [
        Topic(purpose, MEANING[purpose], wordings.get(purpose), _channels(member, purpose, said, waiting, interests))
        for purpose in MARKETING
    ]
    for purpose, label, on in (
        (Purpose.PROFILING, _("Personalised treatment"), member.personalised),
        (Purpose.SHARING, _("Passing data on to others"), _is_on(said, "", Purpose.SHARING)),
    ):
        if purpose == Purpose.PROFILING or purpose in wordings or on:
            switch = Switch(f".{purpose}", label, on, said.get(("", purpose)))
            found.append(Topic(purpose, MEANING[purpose], wordings.get(purpose), [switch]))
    return found


def _is_on(said: dict[tuple[str, str], Consent], channel: str, purpose: str) -> bool:
    consent = said.get((channel, purpose))
    return consent is not None and consent.granted


def _channels(
    member: Member,
    purpose: Purpose,
    said: dict[tuple[str, str], Consent],
    waiting: dict[tuple[str, str], PendingConsent],
    interests: dict[tuple[str, str], list[Interest]],
) -> list[Switch]:
    return [
        Switch(
            f"{channel}.{purpose}",
            channel.label,
            _is_on(said, channel, purpose),
            said.get((channel, purpose)),
            "" if address_of(member, channel) else channel,
            waiting.get((channel, purpose)),
            interests.get((channel, purpose), []) if _is_on(said, channel, purpose) else [],
        )
        for channel in offered()
    ]


def is_anything_on(found: list[Topic]) -> bool:
    """Whether there is anything to stop."""
    return any(switch.on for topic in found for switch in topic.switches)


def read_key(text: str) -> tuple[str, str, bool] | None:
    """(channel, purpose, yes) of a pressed switch "email.offers:yes"; None where it is none of ours."""
    key, _colon, answer = text.partition(":")
    channel, _dot, purpose = key.partition(".")
    known: set[tuple[Any, Any]] = {(channel, purpose) for purpose in MARKETING for channel in offered()}
    known |= {("", Purpose.PROFILING), ("", Purpose.SHARING)}
    if (channel, purpose) not in known or answer not in ("yes", "no"):
        return None
    return channel, purpose, answer == "yes"
