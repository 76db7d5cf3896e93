"""What members agree to: being written to, by purpose and channel; personalised treatment; passing their data on."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Max

from common.sql import execute
from members import events
from members.enums import MARKETING, Channel, Purpose
from members.models import Consent, ConsentWording, Member
from members.queries import consent_state, get_programme
from members.services.profile import MemberGone


class NoPhone(Exception):
    """A yes to text messages by who has no phone number."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A word that a member says, before it is written."""

    member: Member
    channel: str
    purpose: str
    granted: bool
    wording: ConsentWording | None
    source: str
    evidence: str
    actor_id: int | None
    at: datetime


# Asked of each word, under the lock of the member: one that answers True keeps a yes until it is confirmed.
_gates: list[Callable[[Asked], bool]] = []


def register_gate(gate: Callable[[Asked], bool]) -> None:
    """Adds one who may let a yes wait, and hears of each no."""
    _gates.append(gate)


@transaction.atomic
def state_consent(
    *,
    member_id: int,
    channel: Channel | str,
    purpose: Purpose | str,
    granted: bool,
    source: str,
    at: datetime,
    actor_id: int | None = None,
    evidence: str = "",
    wording: ConsentWording | None = None,
    confirmed: bool = False,
) -> Consent | None:
    """Adds the member's word to the log, with the wording in force or the one given. None where it is what they last
    said, or where a yes has to be confirmed first, unless it was (`confirmed`).

    `channel` is "" for the purposes without channels. `evidence` says what proves it: a form's number, a file. A word
    on profiling decides Member.personalised. NoPhone; MemberGone; ValueError for a channel that the purpose has not.
    """
    if (purpose in MARKETING) != bool(channel):
        raise ValueError(f"{purpose} by {channel or 'no channel'}")
    member = Member.objects.select_for_update(no_key=True).get(pk=member_id)
    if member.merged_into_id is not None or member.erased_at is not None:
        raise MemberGone
    if granted and channel == Channel.SMS and not member.phone:
        raise NoPhone
    said = Consent.objects.filter(member_id=member_id, channel=channel, purpose=purpose)
    last = said.order_by("-at", "-id").first()
    # Who was never asked is not written to: their no adds nothing. But they may well be treated by what they did.
    wording = wording or ConsentWording.objects.filter(purpose=purpose).order_by("-version").first()
    if not (granted and last is not None and last.granted) and not confirmed:
        asked = Asked(member, channel, purpose, granted, wording, source, evidence, actor_id, at)
        waits = [gate(asked) for gate in _gates]  # each hears of each word
        if granted and any(waits):
            return None
    unsaid = last is None and not granted and purpose != Purpose.PROFILING
    if unsaid or (last is not None and last.granted == granted):
        return None
    consent = Consent.objects.create(
        member_id=member_id,
        channel=channel,
        purpose=purpose,
        granted=granted,
        wording=wording,
        source=source[:40],
        evidence=evidence[:200],
        actor_id=actor_id,
        at=at,
    )
    if purpose == Purpose.PROFILING and member.personalised != granted:
        member.personalised = granted
        member.save(update_fields=["personalised", "updated_at"])
    events.record(
        member_id=member_id,
        kind=events.CONSENT_GRANTED if granted else events.CONSENT_WITHDRAWN,
        at=at,
        data={"channel": channel, "purpose": purpose, "source": source},
        actor_id=actor_id,
    )
    return consent


@transaction.atomic
def stop_everything(*, member_id: int, source: str, at: datetime, actor_id: int | None = None) -> int:
    """Withdraws all that the member ever agreed to, and refuses personalised treatment; how many words that took."""
    asked = {key for key, consent in consent_state(member_id).items() if consent.granted}
    asked |= {(channel, purpose) for purpose in MARKETING for channel in Channel}  # a yes may wait to be confirmed
    if Member.objects.filter(pk=member_id, personalised=True).exists():
        asked.add(("", Purpose.PROFILING))
    said = [
        state_consent(
            member_id=member_id,
            channel=channel,
            purpose=purpose,
            granted=False,
            source=source,
            at=at,
            actor_id=actor_id,
        )
        for channel, purpose in sorted(asked)
    ]
    return sum(word is not None for word in said)


@transaction.atomic
def publish_wording(*, purpose: str, text_en: str, text_zh_hans: str | None = None) -> ConsentWording:
    """A new version of what members agree to for a purpose. It is shown from now on; what was agreed to stays."""
    ConsentWording.objects.select_for_update().filter(purpose=purpose).order_by("version").first()
    last = ConsentWording.objects.filter(purpose=purpose).aggregate(last=Max("version"))["last"] or 0
    return ConsentWording.objects.create(
        purpose=purpose, version=last + 1, text_en=text_en, text_zh_hans=text_zh_hans or None
    )


_NEVER_ASKED = """
WITH changed AS (
    UPDATE members_member AS member SET personalised = %(yes)s
    WHERE member.personalised <> %(yes)s AND member.merged_into_id IS NULL AND member.erased_at IS NULL
      AND NOT EXISTS (
          SELECT FROM members_consent AS said WHERE said.member_id = member.id AND said.purpose = 'profiling'
      )
    RETURNING member.id
)
INSERT INTO members_changedmember (member_id) SELECT id FROM changed
"""


@transaction.atomic
def apply_profiling_default() -> int:
    """Treats all who never said a word on profiling as the programme's setting has it; how many that changed."""
    return execute(_NEVER_ASKED, {"yes": get_programme().personalise_by_default})
