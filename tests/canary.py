"""A member whose every field holds a word that is found nowhere else, in every table that can hold one of theirs."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.mail import send_mail
from django.test import Client
from openpyxl import Workbook

from api.models import Answer
from campaigns.models import (
    Campaign,
    DeliveryEvent,
    Journey,
    JourneyRun,
    JourneyVersion,
    Message,
    Suppression,
    TrackEvent,
)
from campaigns.models.preference import ContactPace, PendingConsent, Topic, TopicChoice
from campaigns.queries import address_key
from campaigns.services.greeting import birthday_campaign
from campaigns.services.senders import default_sender
from common.sms import send_sms
from members import models as m
from members.enums import AttributeKind, Channel, ImportState, JobState, Purpose
from members.services.access import log_access
from members.services.consent import publish_wording, state_consent
from members.services.custom_events import NewEvent, record_custom_events
from members.services.pins import set_pin
from members.services.profile import create_member, link_account
from members.tests.factories import make_member, new_purchase
from referrals.enums import Source
from referrals.models import Invite, Trace
from referrals.services.advocates import advocate_of, set_wishes
from referrals.services.attribution import Came, attribute
from referrals.services.qualifying import settle_due
from referrals.tests.factories import live_programme, newcomer
from rewards.models import (
    Benefit,
    Coupon,
    CouponUse,
    GrantRequest,
    Lot,
    MembershipPlan,
    Redemption,
    RewardSession,
    Tier,
)
from rewards.services.benefits import use_benefit
from rewards.services.coupons.using import redeem
from rewards.services.fulfilment import set_fulfilment
from rewards.services.holds import confirm, reserve
from rewards.services.lots import extend_lot
from rewards.services.places import join_waiting
from rewards.services.plans import buy_plan
from rewards.services.purchases import post_purchases, refund_purchase
from rewards.services.redemptions import confirm_redemption, refund_redemption, reserve_reward
from rewards.tests.coupons import issue, make_offer
from rewards.tests.factories import adjust, make_reward, make_rule, make_tiers
from surveys.models import (
    Case,
    CaseFile,
    Invitation,
    Remedy,
    Response,
    ResponseChange,
    Suggestion,
    SuggestionLike,
    Upload,
)
from surveys.services.cases.opening import open_case
from surveys.tests.factories import AB, open_survey, question

WORD = "qzcanary"
PHONE = "+4915199887766"
EMAIL = f"{WORD}@example.com"


def plant(at: datetime) -> m.Member:
    """The member, with everything that can hang on one. `at` is when it all happens."""
    make_rule()
    make_tiers()
    m.Programme.objects.create(pk=1)
    m.Attribute.objects.create(key="milk", label_en="Milk", label_zh_hans="奶", kind=AttributeKind.TEXT)
    member = create_member(
        at=at,
        profile={
            "name": f"Anna {WORD}", "email": EMAIL, "phone": PHONE, "street": f"{WORD} street 1",
            "postal_code": WORD, "city": WORD, "country": "DE", "birthday_month": 5, "birthday_day": 17,
            "birthday_year": 1990,
        },
        identity=("shop", f"{WORD}-17"),
        source="till",
    )  # fmt: skip
    member.attributes = {"milk": WORD}
    member.household = m.Household.objects.create(name=f"Family {WORD}")
    member.save()
    user = _account(member, at)
    _till(member, at)
    _consents(member, at)
    _points(member, at)
    _gifts(member, at)
    _staff_words(member, user, at)
    _events(member, at)
    _tiers(member, at)
    _coupons(member, at)
    _redemptions(member, at)
    _messages(member, at)
    _wishes(member, at)
    _answered(member, at)
    _referred(member, at)
    Answer.objects.create(
        call="members", source="till", key="1", fingerprint=b"1", status=201, body={"name": WORD}, member=member
    )
    _merged(member, at)
    _segments(member, at)
    _files(member, at)
    _signing_in(user)
    return member


def _wishes(member: m.Member, at: datetime) -> None:
    topic = Topic.objects.create(name_en="Events", purpose="offers")
    said = {"member": member, "source": "portal", "at": at}
    TopicChoice.objects.create(**said, topic=topic, channel="email", wanted=False)
    ContactPace.objects.create(**said, pace="weekly", first_channel="sms")
    PendingConsent.objects.create(
        member=member, channel="sms", purpose="offers", address=EMAIL, source="till", evidence=f"{WORD} form",
        asked_at=at, expires_at=at + timedelta(days=7),
    )  # fmt: skip


def _account(member: m.Member, at: datetime) -> m.User:
    user = m.User.objects.create_user(EMAIL, "a-Good-password-7", first_name=WORD, last_name=WORD)
    address = EmailAddress.objects.create(user=user, email=EMAIL, verified=True, primary=True)
    EmailConfirmation.objects.create(email_address=address, key=WORD, sent=at)
    Authenticator.objects.create(user=user, type="totp", data={"secret": WORD})
    link_account(member_id=member.pk, user=user, at=at)
    m.CardClaim.objects.create(
        user=user, member=member, card_number=member.card_number, code_hash=WORD, started_at=at, expires_at=at
    )
    return user


def _till(member: m.Member, at: datetime) -> None:
    set_pin(member_id=member.pk, pin="4711", at=at)
    m.MemberPin.objects.filter(member=member).update(digest=WORD)
    m.TillCode.objects.create(member=member, digest=WORD, made_at=at, expires_at=at)


def _consents(member: m.Member, at: datetime) -> None:
    publish_wording(purpose=Purpose.OFFERS, text_en="Yes", text_zh_hans="好")
    for channel, purpose in ((Channel.EMAIL, Purpose.OFFERS), ("", Purpose.PROFILING)):
        state_consent(
            member_id=member.pk, channel=channel, purpose=purpose, granted=True, source=WORD, evidence=WORD, at=at
        )
    m.Guardian.objects.create(member=member, name=WORD, evidence=WORD, at=at)


def _gifts(member: m.Member, at: datetime) -> None:
    """A gift by hand, with what staff wrote to each other and to the member."""
    staff = [m.User.objects.create_user(f"gift{n}@example.com", is_staff=True) for n in range(2)]
    GrantRequest.objects.create(
        key="canary", member=member, amount=9, reason=f"{WORD} complained", note=f"Dear {WORD}", state="refused",
        requested_by=staff[0], requested_at=at, decided_by=staff[1], decided_at=at, decision=f"Not for {WORD}",
    )  # fmt: skip


def _points(member: m.Member, at: datetime) -> None:
    adjust(member, 500, at, key="gift", note=f"Dear {WORD}")
    bought = post_purchases(purchases=[new_purchase(member, amount_minor=9_000)], at=at)[0]
    refund_purchase(
        purchase_id=bought.id, source="till", key="r1", amount_minor=1_000, reason=f"{WORD} was unhappy", at=at
    )
    for key in ("spent", "open"):
        reserve(member_id=member.pk, amount=30, key=key, at=at, lapses_at=at + timedelta(days=9), reason=f"For {WORD}")
    confirm(key="spent", at=at)


def _events(member: m.Member, at: datetime) -> None:
    record_custom_events(told=[NewEvent(member.pk, "shop", "e1", "workshop", at, {"teacher": WORD})])
    lot = Lot.objects.filter(account__member=member, remaining__gt=0).exclude(expires_at=None).earliest("pk")
    extend_lot(lot_id=lot.pk, expires_at=None, reason=f"{WORD} was ill", key="e1", at=at)


def _tiers(member: m.Member, at: datetime) -> None:
    """A first tier, a membership bought, and a benefit had."""
    member.tier_changes.create(to_tier=Tier.objects.get(rank=0), cause="rules", why={"points": 90}, at=at)
    member.tier_lifts.create(tier=Tier.objects.get(rank=0), reason=f"{WORD} sang for us", key="canary", at=at)
    plan = MembershipPlan.objects.create(name_en="Club", name_zh_hans="俱乐部", price_minor=900)
    buy_plan(member_id=member.pk, plan_id=plan.pk, source="till", key="plan", at=at)
    coffee = Benefit.objects.create(name_en="Coffee", name_zh_hans="咖啡", kind="other")
    coffee.plans.add(plan)
    use_benefit(member_id=member.pk, benefit_id=coffee.pk, source="till", key="cup", at=at, note=f"with {WORD}")


def _coupons(member: m.Member, at: datetime) -> None:
    offer = make_offer()
    coupon = issue(offer, member, at)
    Coupon.objects.filter(pk=coupon.pk).update(why={"void": {"reason": WORD}})
    use = redeem(code=issue(offer, member, at).code, member_id=member.pk, at=at, source="till", key="coupon")
    CouponUse.objects.filter(pk=use.pk).update(why={"note": WORD})


def _redemptions(member: m.Member, at: datetime) -> None:
    """One on its way, one reserved, one refunded, and a place waited for."""
    parcel, dated = make_reward(points=0, ships=True), make_reward(points=0, kind="experience")
    for key, act in (("sent", None), ("open", None), ("back", refund_redemption)):
        one = reserve_reward(member_id=member.pk, reward_id=parcel.pk, source="till", key=key, at=at)
        if key != "open":
            confirm_redemption(redemption_id=one.pk, at=at)
        if act is not None:
            act(redemption_id=one.pk, at=at, reason=f"{WORD} was unhappy")
    sent = Redemption.objects.get(key="sent")
    set_fulfilment(redemption_ids=[sent.pk], to="shipped", at=at, carrier=WORD, tracking_number=WORD)
    session = RewardSession.objects.create(reward=dated, starts_at=at + timedelta(days=9), capacity=0)
    join_waiting(member_id=member.pk, session_id=session.pk, at=at)


def _staff_words(member: m.Member, user: m.User, at: datetime) -> None:
    note = m.Note.objects.create(member=member, text=f"{WORD} likes oat milk", at=at)
    m.Task.objects.create(member=member, title=WORD, details=WORD, outcome=WORD, created_at=at)
    m.MemberTag.objects.create(member=member, tag=m.Tag.objects.create(name="VIP"), at=at)
    log_access(actor_id=None, action="viewed", what=f"page of {WORD}", member_id=member.pk, at=at)
    m.DataExport.objects.create(
        member=member, language="en", requested_at=at, expires_at=at, state=JobState.DONE,
        file=ContentFile(WORD.encode(), "own.zip"),
    )  # fmt: skip
    m.ErasureRequest.objects.create(member=member, requested_at=at, due_at=at)
    event = m.TimelineEvent.objects.create(member=member, kind="note.added", at=at, data={"text": WORD})
    m.PendingReaction.objects.create(event=event, reaction="gone", error=f"no {WORD}")
    staff = m.User.objects.create_user("staff@example.com", is_staff=True)
    for changed in (member, user, note):
        LogEntry.objects.create(
            user=staff, content_type=ContentType.objects.get_for_model(changed), object_id=str(changed.pk),
            object_repr=f"Anna {WORD}", action_flag=CHANGE, change_message=WORD,
        )  # fmt: skip


def _messages(member: m.Member, at: datetime) -> None:
    moments = dict.fromkeys(("due_at", "expires_at", "changed_at", "next_try_at"), at)
    words: dict[str, Any] = dict.fromkeys(("to", "subject", "text", "error"), f"Dear {WORD}")
    for year, state in ((2025, "sent"), (2026, "queued")):
        Message.objects.create(
            campaign=birthday_campaign(), occurrence=str(year), channel="email", member=member, occurrence_year=year,
            sender=default_sender("email"), occurrence_day=at.date().replace(year=year), state=state, frozen_at=at,
            why={"for": WORD},
            sent_at=at if state == "sent" else None, values={"for": WORD}, tries=[{"at": "", "error": WORD}],
            provider_id=f"<{WORD}@provider>", **moments, **words,
        )  # fmt: skip
    Suppression.objects.create(
        channel="email", address=address_key(EMAIL), value=EMAIL, reason="by_hand", note=WORD, created_at=at,
        lift_note=WORD,
    )  # fmt: skip
    campaign = Campaign.objects.create(kind="journey", purpose="offers", name="Welcome")
    journey = Journey.objects.create(campaign=campaign, changed_at=at)
    version = JourneyVersion.objects.create(journey=journey, number=1, definition={}, at=at)
    JourneyRun.objects.create(
        journey=journey, version=version, member=member, key=f"{member.pk}", state="active", entered_at=at,
        arrived_at=at, should_at=at, due_at=at, why={"for": WORD}, error=WORD,
    )  # fmt: skip
    TrackEvent.objects.create(
        message=Message.objects.filter(member=member).first(), kind="open", at=at, minute=at, looks="unsure",
        method="GET", agent=f"Mozilla/5.0 ({WORD})", network=f"{WORD}/24",
    )  # fmt: skip
    DeliveryEvent.objects.create(
        source="postmark", key="1", kind="bounced", at=at, received_at=at, recipient=EMAIL, detail=f"no {WORD}",
        provider_id=f"<{WORD}@provider>", raw={"to": EMAIL},
    )  # fmt: skip
    send_mail(f"Für {WORD}", f"Hallo {WORD} – schön!", None, [EMAIL])
    send_sms(PHONE, f"Hello {WORD}")


def _answered(member: m.Member, at: datetime) -> None:
    """A survey answered in words, with a picture."""
    asked = [question("q1", "long"), question("q2", "single", choices=AB, other=True)]
    survey = open_survey({"sections": [{"id": "s1", "questions": asked}]})
    invitation = Invitation.objects.create(survey=survey, member=member, key="wave:1", created_at=at)
    response = Response.objects.create(
        survey=survey, version=survey.versions.get(), invitation=invitation, member=member, key=WORD, way="link",
        language="en", traits={"city": WORD}, started_at=at, changed_at=at,
    )  # fmt: skip
    upload = Upload(response=response, created_at=at, width=1, height=1)
    upload.picture.save(f"{WORD}.png", ContentFile(b"picture"), save=False)
    upload.save()
    response.answers.create(question="q1", text=f"I am {WORD}", upload=upload)
    response.answers.create(question="q2", choices=["other"], text=WORD, words=[WORD], themes=[])
    ResponseChange.objects.create(response=response, void=True, reason=f"{WORD} tried it out", at=at)
    case = open_case(
        kind="suggestion", text=f"I want {WORD}", source="mail", member_id=member.pk, message_key=f"mail:{WORD}", at=at,
        key=WORD,
    )  # fmt: skip
    Case.objects.filter(pk=case.pk).update(contact=EMAIL)
    message = case.messages.get()
    message.picture.save(f"{WORD}.png", ContentFile(b"picture"))
    file = CaseFile(message=message, name=f"{WORD}.pdf")
    file.file.save(f"{WORD}.pdf", ContentFile(b"%PDF-"))
    message.not_kept = [[f"{WORD}.doc", "kind"]]
    message.save()
    Remedy.objects.create(
        key=uuid4(), case=case, kind="apology", state="given", reason=f"{WORD} is right", at=at,
        actor=m.User.objects.create_user("care@example.com"),
    )  # fmt: skip
    idea = Suggestion.objects.create(
        case=case, title_en=WORD, title_zh_hans=WORD, answer_en=WORD, answer_zh_hans=WORD, changed_at=at
    )
    SuggestionLike.objects.create(suggestion=idea, member=member, at=at)


def _referred(member: m.Member, at: datetime) -> None:
    """A member who brought a friend, had another invited, and objected once."""
    live_programme(qualifies={"by": "sign_up"}, hold_days=0)
    set_wishes(member_id=member.pk, shows_name=True, nickname=WORD, is_listed=True, at=at)
    advocate = advocate_of(member_id=member.pk, at=at)
    friend = newcomer(at=at)
    referral = attribute(friend_id=friend.pk, came=[Came(advocate.code, Source.CODE, at)], at=at)
    settle_due(at=at)
    type(referral).objects.filter(pk=referral.pk).update(objection=f"I am {WORD}", reason="")
    Invite.objects.create(advocate=advocate, mark="0" * 64, address=f"friend.{EMAIL}", language="en", created_at=at)
    Trace.objects.create(member=member, kind="network", mark="1" * 64, seen_at=at)


def _merged(member: m.Member, at: datetime) -> None:
    old = m.Member.objects.create(name=f"Old {WORD}", city=WORD, merged_into=member, joined_at=at)
    m.Identity.objects.create(member=old, system="email", value=f"old.{EMAIL}")
    left = m.User.objects.create_user(f"left.{EMAIL}", "a-Good-password-7", first_name=WORD)
    EmailAddress.objects.create(user=left, email=left.email, verified=True, primary=True)
    m.MemberMerge.objects.create(survivor=member, merged=old, at=at, journal={"name": f"Old {WORD}"}, unlinked=left)
    other = make_member()
    first, second = sorted((member, other), key=lambda one: one.pk)
    m.Duplicate.objects.create(first=first, second=second, reasons=[{"code": WORD}], score=90, found_at=at)


def _segments(member: m.Member, at: datetime) -> None:
    segment = m.Segment.objects.create(name_en="All", name_zh_hans="全部", definition={"all": []}, size=1)
    m.SegmentMember.objects.create(segment=segment, member=member, entered_at=at)
    m.SegmentChange.objects.create(segment=segment, member=member, entered=True, version=1, at=at)
    m.SegmentPick.objects.create(segment=segment, member=member, include=True, at=at)
    m.MemberListEntry.objects.create(list=m.MemberList.objects.create(name="Guests"), member=member)


def _files(member: m.Member, at: datetime) -> None:
    """Uploads in several codes, one of them called by the member's name, and an export."""
    # A first row that was taken for the names of columns.
    read = {"layout": {"columns": [f"Anna {WORD}", "", EMAIL]}, "error_params": {"found": f"Anna {WORD}"}}
    purchases = {"source": "till", "currency": "EUR", "state": ImportState.DONE, **read}
    for code in ("utf-8", "utf-16", "gb18030"):
        m.PurchaseImport.objects.create(
            **purchases, name="x.csv", file=ContentFile(f"name,sum\nANNA {WORD.upper()},3\n".encode(code), "x.csv")
        )
    named = m.PurchaseImport.objects.create(
        **purchases, name=f"Anna {WORD}.csv", file=ContentFile(b"1", f"Anna {WORD}.csv")
    )
    m.ImportProblem.objects.create(
        purchase_import=named, row=1, code="email", params={"value": EMAIL}, others=[{"params": {"value": EMAIL}}]
    )
    book = Workbook()
    book.active.append(["e-mail", EMAIL])
    path = Path(settings.PRIVATE_ROOT) / "customers.xlsx"
    book.save(path)
    brought = m.CustomerImport.objects.create(
        name=f"Anna {WORD}.xlsx", source="shop", state=ImportState.DONE, **read,
        file=ContentFile(path.read_bytes(), "customers.xlsx"),
    )  # fmt: skip
    path.unlink()
    m.CustomerProblem.objects.create(customer_import=brought, row=2, faults=[{"code": "x", "params": {"v": EMAIL}}])
    m.ImportedMember.objects.create(
        customer_import=brought, member=member, row=1, created=True, before={"name": WORD}, after={"name": WORD},
        added={"value": WORD}, kept=WORD,
    )  # fmt: skip
    m.ExportJob.objects.create(
        name=f"Members called Anna {WORD}",
        state=ImportState.DONE,
        created_at=at,
        file=ContentFile(EMAIL.encode(), "m.csv"),
    )


def _signing_in(user: m.User) -> None:
    """Sessions and limits: one signed in, one that asked for a code, one that mistyped the password."""
    cache.clear()  # the limits of tests before this one
    Client().force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    Client().post("/accounts/login/code/", {"email": EMAIL})
    Client().post("/accounts/login/", {"login": EMAIL, "password": "wrong"})
