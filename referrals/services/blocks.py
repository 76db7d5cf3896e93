"""Whom referrals do not count of."""

from collections.abc import Iterable
from datetime import datetime
from ipaddress import ip_network

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from members.models import Member
from members.similarity import mailbox
from referrals.enums import BlockKind
from referrals.marks import mark
from referrals.models import Block, Trace


def cleaned(kind: BlockKind, value: str) -> str:
    """What is meant, as the list keeps it. ValidationError."""
    value = value.strip()
    if kind == BlockKind.NETWORK:
        try:
            return str(ip_network(value, strict=False))
        except ValueError:
            raise ValidationError({"value": _("Please give a network, such as 203.0.113.0/24.")}) from None
    if kind == BlockKind.MAIL:
        if "@" not in value or value.endswith("@"):
            raise ValidationError({"value": _("Please give a mail address, or @ and a domain.")})
        return value.lower() if value.startswith("@") else mailbox(value)
    if not value:
        raise ValidationError({"value": _("Please say who.")})
    return "".join(value.split()) if kind == BlockKind.MEMBER else value


def block(*, kind: BlockKind, value: str, reason: str, at: datetime, actor_id: int | None = None) -> Block:
    """Puts somebody on the list; who stands there already stays as they are. ValidationError."""
    return Block.objects.get_or_create(
        kind=kind, value=cleaned(kind, value), defaults={"reason": reason, "created_at": at, "actor_id": actor_id}
    )[0]


def is_blocked(members: Iterable[Member]) -> bool:
    """Whether any of them stands on the list, by themselves, their card, their mailbox or a device that was told of."""
    members = list(members)
    values: list[tuple[str, str]] = []
    for member in members:
        values += [(BlockKind.MEMBER, member.card_number)]
        if member.email:
            box = mailbox(member.email)
            parts = box.partition("@")[2].split(".")
            domains = ["@" + ".".join(parts[n:]) for n in range(len(parts) - 1)]
            values += [(BlockKind.MAIL, one) for one in (box, *domains)]
    known = set(Block.objects.filter(value__in=[value for _kind, value in values]).values_list("kind", "value"))
    if any(one in known for one in values):
        return True
    devices = Block.objects.filter(kind=BlockKind.DEVICE).values_list("value", flat=True)
    marks = [mark("device", value) for value in devices]
    return bool(marks) and Trace.objects.filter(member__in=members, kind="device", mark__in=marks).exists()


def is_network_blocked(address: str) -> bool:
    """Whether an IP address is in a network on the list."""
    try:
        ip = ip_network(address)
    except ValueError:
        return False
    listed = (ip_network(one) for one in Block.objects.filter(kind=BlockKind.NETWORK).values_list("value", flat=True))
    return any(ip.version == one.version and ip.subnet_of(one) for one in listed)  # type: ignore[arg-type]
