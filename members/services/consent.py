"""What members agree to be written to for, and how."""

from datetime import datetime

from django.db import transaction
from django.db.models import Max

from members import events
from members.enums import Channel, Purpose
from members.models import Consent, ConsentWording, Member


@transaction.atomic
def state_consent(
    *,
    member_id: int,
    channel: Channel,
    purpose: Purpose,
    granted: bool,
    source: str,
    at: datetime,
    actor_id: int | None = None,
) -> Consent | None:
    """Adds the member's word to the log, with the wording in force. None where it is what they last said."""
    Member.objects.select_for_update().only("pk").get(pk=member_id)
    said = Consent.objects.filter(member_id=member_id, channel=channel, purpose=purpose)
    last = said.order_by("-at", "-id").first()
    if (last is not None and last.granted == granted) or (last is None and not granted):
        return None
    consent = Consent.objects.create(
        member_id=member_id,
        channel=channel,
        purpose=purpose,
        granted=granted,
        wording=ConsentWording.objects.filter(purpose=purpose).order_by("-version").first(),
        source=source,
        actor_id=actor_id,
        at=at,
    )
    events.record(
        member_id=member_id,
        kind=events.CONSENT_GRANTED if granted else events.CONSENT_WITHDRAWN,
        at=at,
        data={"channel": channel, "purpose": purpose, "source": source},
        actor_id=actor_id,
    )
    return consent


@transaction.atomic
def publish_wording(*, purpose: str, text_en: str, text_zh_hans: str | None = None) -> ConsentWording:
    """A new version of what members agree to for a purpose. It is shown from now on; what was agreed to stays."""
    ConsentWording.objects.select_for_update().filter(purpose=purpose).order_by("version").first()
    last = ConsentWording.objects.filter(purpose=purpose).aggregate(last=Max("version"))["last"] or 0
    return ConsentWording.objects.create(
        purpose=purpose, version=last + 1, text_en=text_en, text_zh_hans=text_zh_hans or None
    )
