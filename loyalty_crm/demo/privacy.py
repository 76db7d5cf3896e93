"""What members of the demo café say about their data, and what staff do with it."""

from datetime import datetime, timedelta
from random import Random
from typing import Any

from loyalty_crm.demo.people import Guest
from members.enums import AccessAction, Purpose
from members.models import RetentionRule, User
from members.services.access import log_access
from members.services.consent import state_consent
from members.services.data_exports import request_export
from members.services.erasure import erase_member, request_erasure
from members.services.retention import make_rules, set_rule

QUIET_SHARE = 0.03


def ask(random: Random, guests: list[Guest], at: datetime, staff: dict[str, User]) -> None:
    """Some refuse personalised treatment, one wants to leave, one has left, one asked for their data."""
    anna, mei, others = guests[-2], guests[-1], guests[:-2]
    for guest in random.sample(others, int(len(others) * QUIET_SHARE)):
        said_at = guest.first + (at - guest.first) * random.random()
        state_consent(
            member_id=guest.member.pk, channel="", purpose=Purpose.PROFILING, granted=False, source="portal", at=said_at
        )
    yes: dict[str, Any] = {"channel": "", "purpose": Purpose.PROFILING, "granted": True, "source": "portal"}
    for guest in (anna, mei):
        state_consent(member_id=guest.member.pk, at=guest.first, **yes)
    manager, marketer = staff["Manager"], staff["Marketer"]
    leaving, left, curious = (guest.member.pk for guest in random.sample(others, 3))
    request_erasure(member_id=leaving, at=at - timedelta(days=3))
    erase_member(member_id=left, at=at - timedelta(days=20), actor_id=manager.pk)
    request_export(member_id=curious, at=at - timedelta(days=1), actor_id=manager.pk)
    what = "all data of a member"
    for action in (AccessAction.EXPORTED, AccessAction.DOWNLOADED):
        log_access(actor_id=manager.pk, action=action, what=what, member_id=curious, at=at - timedelta(days=1))
    for hours, member in ((5, anna.member.pk), (29, curious), (50, mei.member.pk), (76, leaving)):
        log_access(
            actor_id=marketer.pk,
            action=AccessAction.VIEWED,
            what="member page",
            member_id=member,
            at=at - timedelta(hours=hours),
        )
    make_rules()
    for rule in RetentionRule.objects.filter(subject__in=("card_claims", "uploads")):
        set_rule(subject=rule.subject, days=rule.days, active=True, at=at, actor_id=manager.pk)
