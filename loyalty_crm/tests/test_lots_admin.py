"""Single lots at the desk: activated, taken back, extended and brought back, by managers, each asked once."""

import html
import re
import uuid
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.timezone import localdate, now

from members.models import Member
from members.tests.factories import make_member
from rewards.enums import AccountKind, TransferKind
from rewards.models import Lot, LotChange, Transfer
from rewards.queries import balance
from rewards.services.expiry import expire_due
from rewards.services.ledger import credit, lock_wallets
from rewards.services.lots import extend_lot, reinstate
from rewards.tests.coupons import issue, make_offer
from rewards.tests.factories import adjust, make_rule, make_rule_of, make_tiers, post

_PENDING = """
SELECT 'p1', %(member)s::bigint, 40::bigint, %(at)s::timestamptz, %(from)s::timestamptz, %(until)s::timestamptz, '',
       '{}'::jsonb, NULL::bigint, NULL::bigint
"""


@pytest.fixture
def member(db) -> Member:
    make_rule()
    make_tiers()
    return make_member(name="Anna Becker")


@pytest.fixture
def pending(member) -> Lot:
    """40 points that can be spent in ten days, and expire in twenty."""
    at = now()
    lock_wallets([member.pk])
    moments = {"at": at, "from": at + timedelta(days=10), "until": at + timedelta(days=20)}
    credit(kind=TransferKind.GIFT, source=AccountKind.ISSUED, select=_PENDING, params={"member": member.pk, **moments})
    return Lot.objects.get()


def text(answer) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode())))


def act(client, name: str, pk: int, **data):
    form = {"reason": "Trip abroad", "note": "Enjoy", "key": str(uuid.uuid4()), **data}
    return client.post(reverse(f"admin:{name}", args=[pk]), form, follow=True)


def test_pending_points_are_activated_and_the_page_tells_it(member, pending, desk):
    manager = desk("Manager")
    assert "Anna Becker · 40 points" in text(manager.get(reverse("admin:rewards_lot_activate", args=[pending.pk])))
    assert "Anna Becker can spend 40 points now, instead of from" in text(
        act(manager, "rewards_lot_activate", pending.pk)
    )
    assert balance(member.pk) == 0
    act(manager, "rewards_lot_activate", pending.pk, confirmed="1")
    assert balance(member.pk) == 40
    change = LotChange.objects.get()
    assert (change.act, change.reason, change.actor.email) == ("activate", "Trip abroad", "manager@example.com")
    page = manager.get(reverse("admin:rewards_lot_change", args=[pending.pk]))
    assert "Trip abroad" in text(page)
    assert act(manager, "rewards_lot_activate", pending.pk).status_code == 403  # it can be spent already


def test_what_waits_for_an_event_says_so_and_can_be_set_free(member, desk):
    manager = desk("Manager")
    waits = {"event": "order.delivered", "days": 30, "otherwise": "cancel"}
    rule = make_rule_of("Delivered", {"effect": {"kind": "fixed", "points": 7}, "pending": waits})
    post(member, now(), purchased_at=now())
    lot = Lot.objects.get(transfer__rule__rule=rule)
    for page in (
        reverse("admin:rewards_lot_changelist"),
        reverse("admin:rewards_lot_change", args=[lot.pk]),
        reverse("admin:rewards_earningrule_why", args=["purchase", lot.transfer.purchase_id]),
    ):
        seen = text(manager.get(page))
        assert "Waits until “order delivered”; taken back" in seen
        assert "9000" not in seen
    assert "7 points now, instead of" in text(act(manager, "rewards_lot_activate", lot.pk))
    act(manager, "rewards_lot_activate", lot.pk, confirmed="1")
    assert balance(member.pk) == 17
    assert "9000" not in text(manager.get(reverse("admin:rewards_lot_change", args=[lot.pk])))


def test_pending_points_are_taken_back(member, pending, desk):
    manager = desk("Manager")
    assert "Anna Becker loses 40 points that were still pending." in text(
        act(manager, "rewards_lot_cancel", pending.pk)
    )
    act(manager, "rewards_lot_cancel", pending.pk, confirmed="1")
    taken = Transfer.objects.get(kind="reverse")
    assert (taken.amount, taken.actor.email, taken.note) == (40, "manager@example.com", "Enjoy")


def test_points_live_longer_but_never_shorter(member, pending, desk):
    manager, longer = desk("Manager"), localdate() + timedelta(days=60)
    early = text(act(manager, "rewards_lot_extend", pending.pk, until=localdate() + timedelta(days=5)))
    assert "Please choose a later day." in early
    act(manager, "rewards_lot_extend", pending.pk, until=longer, confirmed="1")
    pending.refresh_from_db()
    assert localdate(pending.expires_at) == longer + timedelta(days=1)  # the end of that day
    act(manager, "rewards_lot_extend", pending.pk, until="", confirmed="1")
    pending.refresh_from_db()
    assert pending.expires_at is None


def test_what_has_expired_is_brought_back_once(member, desk):
    at = now() - timedelta(days=3)
    adjust(member, 25, at, expires_at=at + timedelta(days=1))
    expire_due(at=now())
    expiry, manager = Transfer.objects.get(kind="expire"), desk("Manager")
    act(manager, "rewards_transfer_reinstate", expiry.pk, until=localdate() + timedelta(days=30), confirmed="1")
    assert balance(member.pk) == 25
    assert act(manager, "rewards_transfer_reinstate", expiry.pk).status_code == 403


def test_what_a_gift_card_holds_is_left_alone(member, desk):
    at = now() - timedelta(days=3)
    offer = make_offer("card", {"currency": "EUR", "amount": "25.00"}, valid_days=2)
    issue(offer, member, at)
    fresh = Lot.objects.get(account__coupon=issue(offer, member, now()))
    expire_due(at=now())
    expiry, manager = Transfer.objects.get(kind="expire"), desk("Manager")
    assert act(manager, "rewards_lot_extend", fresh.pk).status_code == 403
    assert act(manager, "rewards_transfer_reinstate", expiry.pk).status_code == 403
    told = {"key": "k", "at": now(), "reason": "x", "expires_at": None}
    with pytest.raises(Lot.DoesNotExist):
        extend_lot(lot_id=fresh.pk, **told)
    with pytest.raises(Transfer.DoesNotExist):
        reinstate(transfer_id=expiry.pk, **told)
    assert "€25.00 · " in text(manager.get(reverse("admin:rewards_lot_change", args=[expiry.lot_uses.get().lot_id])))


def test_marketers_only_look(member, pending, desk):
    marketer = desk("Marketer")
    page = text(marketer.get(reverse("admin:rewards_lot_change", args=[pending.pk])))
    assert "Activate" not in page
    for name in ("rewards_lot_activate", "rewards_lot_cancel", "rewards_lot_extend"):
        assert act(marketer, name, pending.pk, confirmed="1").status_code == 403
    assert not LotChange.objects.exists()
