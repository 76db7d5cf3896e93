"""How ready templates are written down."""

from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class Ready:
    """A ready template: `when` says what it is for; `content` is what campaigns.content.reading parses."""

    key: str
    name: Promise
    when: Promise
    content: dict[str, Any]


def both(english: str, chinese: str) -> dict[str, str]:
    return {"en": english, "zh-hans": chinese}


def message(subject: dict[str, str], preheader: dict[str, str], sms: dict[str, str], *blocks: dict[str, Any]) -> dict:
    return {"subject": subject, "preheader": preheader, "sms": sms, "blocks": list(blocks)}


def banner(motif: str, tone: str, english: str, chinese: str) -> dict[str, Any]:
    return {"type": "banner", "motif": both(motif, motif), "text": both(english, chinese), "tone": tone}


def text(english: str, chinese: str) -> dict[str, Any]:
    return {"type": "text", "text": both(english, chinese)}


def button(english: str, chinese: str, to: str) -> dict[str, Any]:
    return {"type": "button", "label": both(english, chinese), "to": to}


def only_if(field: str, op: str, value: str, *blocks: dict[str, Any]) -> dict[str, Any]:
    return {"type": "if", "field": field, "op": op, "value": value, "blocks": list(blocks)}


HELLO = '{{ member.name | default: "friend" }}'
NIN = '{{ member.name | default: "亲爱的会员" }}'
GIFT = {"type": "gift"}
POINTS = {"type": "points"}
CAN_HAVE = {"type": "rewards", "which": "affordable"}
COUPON = {"type": "coupon"}
