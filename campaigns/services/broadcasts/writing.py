"""What the messages of a broadcast say, and what is given with them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from itertools import groupby

from django.utils.translation import gettext_noop, override

from campaigns import merge
from campaigns.content.compiled import compiled
from campaigns.enums import CampaignKind
from campaigns.merge import Recipient
from campaigns.merge_fields import coupon_values
from campaigns.models import Broadcast, BroadcastVariant, Message
from campaigns.queries import zone_of
from campaigns.services.writers import Written, register_writer
from rewards.enums import IssuedBy
from rewards.models import Coupon
from rewards.services.coupons.issuing import issue_coupons
from rewards.services.gifts import Gift, give_points


def write(messages: Sequence[Message], at: datetime) -> list[Written]:
    """Gift and coupon are given once for each message, whatever becomes of the attempt: their keys hold its uid.

    OfferNotRunning, OutOfCodes where the coupon that belongs to it cannot be given: then it waits.
    """
    done: dict[int, Written] = {}
    for campaign_id, group in groupby(sorted(messages, key=lambda one: one.campaign_id), lambda one: one.campaign_id):
        broadcast = Broadcast.objects.select_related("campaign", "offer").get(pk=campaign_id)
        variants = {variant.number: variant for variant in broadcast.variants.all()}
        of_it = list(group)
        given, coupons = _give(broadcast, of_it, at)
        said = _say(broadcast, variants, of_it, given, at)
        _show_coupons(broadcast, of_it, coupons, said, at)
        for message, one in zip(of_it, said, strict=True):
            done[message.pk] = one
    return [done[message.pk] for message in messages]


def recipient(broadcast: Broadcast, message: Message, at: datetime) -> Recipient:
    """The reader of a message, with what comes with it."""
    zone, until = zone_of(message.member), None
    if broadcast.gift_points and broadcast.gift_valid_days:
        until = at.astimezone(zone).date() + timedelta(days=broadcast.gift_valid_days)
    today = at.astimezone(zone).date()
    return Recipient(message.member, message.member.language, at, today, broadcast.gift_points, until)


def _give(
    broadcast: Broadcast, messages: Sequence[Message], at: datetime
) -> tuple[dict[int, int], dict[str | None, Coupon]]:
    """The transfer of each message's gift, by the message; the coupons given, by their key."""
    coupons: list[Coupon] = []
    if broadcast.offer_id is not None:
        coupons = issue_coupons(
            offer_id=broadcast.offer_id,
            member_ids=[message.member_id for message in messages],
            keys=[_key(message) for message in messages],
            issued_by=IssuedBy.MESSAGE,
            at=at,
        )
    by_key = {coupon.issue_key: coupon for coupon in coupons}
    if not broadcast.gift_points:
        return {}, by_key
    gifts = {message.pk: _gift(broadcast, message, at) for message in messages}
    ids = give_points(gifts=list(gifts.values()), at=at)
    return {pk: ids[gift.key] for pk, gift in gifts.items()}, by_key


def _key(message: Message) -> str:
    return f"message:{message.uid}"


def _show_coupons(
    broadcast: Broadcast,
    messages: Sequence[Message],
    coupons: Mapping[str | None, Coupon],
    said: Sequence[Written],
    at: datetime,
) -> None:
    """A block for coupons shows the very one that comes with the message, whatever else the member has got by now."""
    for message, one in zip(messages, said, strict=True):
        coupon = coupons.get(_key(message))
        spaces = {"coupon", f"offer_{broadcast.offer_id}"} & one.values.keys()
        if coupon is None or not spaces or broadcast.offer is None:
            continue
        coupon.offer = broadcast.offer
        with override(one.language):
            (values,) = coupon_values([recipient(broadcast, message, at)], [coupon])
        one.values.update(dict.fromkeys(spaces, values))


def _gift(broadcast: Broadcast, message: Message, at: datetime) -> Gift:
    reader = recipient(broadcast, message, at)
    last = reader.gift_expires_on
    return Gift(
        member_id=message.member_id,
        amount=broadcast.gift_points,
        key=_key(message),
        reason=gettext_noop("Gift"),
        expires_at=datetime.combine(last + timedelta(days=1), time(), zone_of(message.member)) if last else None,
        why={"campaign": CampaignKind.BROADCAST.value, "name": broadcast.campaign.name, "message": message.pk},
    )


def _say(
    broadcast: Broadcast,
    variants: dict[int, BroadcastVariant],
    messages: Sequence[Message],
    given: dict[int, int],
    at: datetime,
) -> list[Written]:
    first = min(variants)
    chosen = [variants.get(message.variant, variants[first]) for message in messages]
    readers = [recipient(broadcast, message, at) for message in messages]
    spaces: set[str] = set()
    for version_id, language in {
        (one.version_id, reader.language) for one, reader in zip(chosen, readers, strict=True)
    }:
        spaces |= compiled(version_id, language).spaces
    for variant in variants.values():
        for text in variant.subject.values():
            spaces |= set(merge.environment.from_string(text).analyze().globals)
    return [
        Written(
            version_id=variant.version_id,
            language=reader.language,
            values=dict(values),
            subject=variant.subject.get(reader.language, ""),
            gift_id=given.get(message.pk),
        )
        for variant, reader, values, message in zip(
            chosen, readers, merge.values(readers, spaces), messages, strict=True
        )
    ]


def register() -> None:
    register_writer(CampaignKind.BROADCAST, write)
