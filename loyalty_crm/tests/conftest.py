from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from analytics.models import MemberScore
from api.models import Answer
from api.services.keys import create_key
from campaigns.enums import MessageState
from campaigns.models import Brand, DeliveryEvent, JourneyRun, Message, Occasion, OccasionDate, Suppression, TrackEvent
from campaigns.models.preference import OptInRule, Topic
from campaigns.models.pressure import Cap
from campaigns.queries import address_key
from campaigns.services.broadcasts.control import create, get_settings
from campaigns.services.greeting import birthday_campaign, get_greeting
from campaigns.services.journeys.definitions import publish_journey
from campaigns.services.journeys.ready import take_ready
from campaigns.services.senders import default_sender
from campaigns.services.templates import save_snippet, save_template
from members.enums import Channel, ImportState, Purpose
from members.models import (
    AccessLog,
    CustomerImport,
    Duplicate,
    Member,
    PendingReaction,
    Persona,
    Programme,
    PurchaseImport,
    RetentionRule,
    TimelineEvent,
    User,
)
from members.services.attributes import define_attribute
from members.services.consent import publish_wording, state_consent
from members.services.custom_events import NewEvent, record_custom_events
from members.services.data_exports import request_export
from members.services.erasure import request_erasure
from members.services.exports import create_export, run_export
from members.services.imports.columns import Layout
from members.services.merging import merge_members
from members.services.retention import make_rules
from members.services.segments import save_list, save_segment
from members.services.tags import save_tag
from members.services.tasks import add_task
from members.tests.factories import make_member
from referrals.models import Block, Referral
from referrals.services.programmes import make_programme
from referrals.tests.factories import bring, definition, live_programme, newcomer
from rewards.enums import CouponState
from rewards.models import (
    Benefit,
    CheckInPoint,
    Coupon,
    GrantRequest,
    MembershipPlan,
    Reassessment,
    Replay,
    RewardSession,
    TierChange,
)
from rewards.services.benefits import use_benefit
from rewards.services.coupons.jobs import create_codes
from rewards.services.coupons.using import redeem
from rewards.services.grants import grant_points
from rewards.services.plans import buy_plan
from rewards.services.redemptions import reserve_reward
from rewards.services.settings import save_reward_settings
from rewards.tests.coupons import issue, make_offer
from rewards.tests.factories import make_reward, make_rule, make_tiers, post
from surveys.enums import Way
from surveys.services.answering import begin
from surveys.services.doors import make_trigger
from surveys.tests.factories import cases_of, open_survey

AT = datetime(2026, 5, 12, 10, tzinfo=UTC)


@pytest.fixture
def staff(db, settings) -> Callable[[str], User]:
    """Makes somebody with a role: "Till", "Marketer" or "Manager"."""
    settings.REQUIRE_STAFF_MFA = False

    def make(role: str) -> User:
        user = User.objects.create_user(f"{role.lower()}@example.com", "a-Good-password-7", is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        return user

    return make


@pytest.fixture
def desk(staff) -> Callable[[str], Client]:
    """A browser signed in with a role."""

    def sign_in(role: str) -> Client:
        client = Client()
        client.force_login(staff(role), backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in


def catalogue_of(member: Member) -> dict[str, int]:
    """A reward with a date, and a redemption of each end that an act is for."""
    reward, dated = make_reward(points=0), make_reward(points=0, kind="experience")
    session = RewardSession.objects.create(reward=dated, starts_at=AT + timedelta(days=9), capacity=2)
    taken = reserve_reward(member_id=member.pk, reward_id=reward.pk, source="test", key="k", at=AT)
    return {"rewards_reward": reward.pk, "rewards_rewardsession": session.pk, "rewards_redemption": taken.pk}


def coupons_of(member: Member) -> dict[str, int]:
    """An offer with a coupon that is open, one that was used, and a job; a gift card that nobody has bought yet."""
    offer, cards = make_offer(), make_offer("card", {"currency": "EUR", "amount": "10.00"})
    used = redeem(code=issue(offer, member, AT).code, member_id=member.pk, at=AT, source="test", key="coupon")
    job = create_codes(offer_id=offer.pk, total=1, at=AT)
    return {
        "rewards_offer": offer.pk,
        "rewards_coupon": issue(offer, member, AT).pk,
        "rewards_couponuse": used.pk,
        "rewards_couponjob": job.pk,
        "giftcard_in_stock": Coupon.objects.create(offer=cards, code="CARDCARDCARDCARD", state=CouponState.STOCK).pk,
    }


def _friends(member: Member) -> dict[str, int]:
    """A programme, and a referral that somebody has to look at."""
    programme = live_programme()
    referral = bring(member, newcomer(email="somebody@mailinator.com"))
    Referral.objects.filter(pk=referral.pk).update(state="review", qualified_at=AT)
    draft = make_programme(name="Next", definition=definition(), at=AT)
    block = Block.objects.create(kind="mail", value="@example.invalid", reason="Robots", created_at=AT)
    return {
        "referrals_programme": programme.pk,
        "referrals_draft": draft.pk,
        "referrals_referral": referral.pk,
        "referrals_block": block.pk,
    }


@pytest.fixture
def world(db, settings) -> dict[str, int]:
    """One of everything; the primary keys by the name that a page's URL begins with."""
    settings.REQUIRE_STAFF_MFA = False
    Programme.objects.create(pk=1)
    outbox = Path(settings.OUTBOX_DIR)
    outbox.mkdir()
    (outbox / "hello.eml").write_bytes(b"Subject: Hello\r\n\r\nHello\r\n")
    rule, tiers, member = make_rule(valid_months=120), make_tiers(), make_member()
    posted = post(member, AT)
    state_consent(
        member_id=member.pk, channel=Channel.EMAIL, purpose=Purpose.OFFERS, granted=True, source="till", at=AT
    )
    event = TimelineEvent.objects.order_by("id").first()
    transfer = member.accounts.get().credits.get()
    exported = create_export(
        members=Member.objects.all(), name="Members", columns=["name"], file_format="csv", language="en", at=AT
    )
    run_export(export_id=exported.pk)
    uploaded = PurchaseImport.objects.create(source="till", currency="EUR", state=ImportState.DONE, name="x.csv")
    segment = save_segment(names={"en": "Everybody"}, definition={"all": []}, at=AT)
    Brand.objects.create(pk=1)
    words = {"en": "Hello", "zh-hans": "您好"}
    hello = {"subject": words, "blocks": [{"type": "text", "text": words}]}
    template = save_template(template_id=None, name="Hello", kind="marketing", content=hello, actor_id=None, at=AT)
    snippet, _none = save_snippet(snippet_id=None, name="Hello", content=hello, actor_id=None, at=AT)
    return {
        **coupons_of(member),
        "members_member": member.pk,
        "members_segment": segment.pk,
        "members_duplicate": Duplicate.objects.create(first=member, second=make_member(), score=80, found_at=AT).pk,
        "members_membermerge": merge_members(survivor_id=member.pk, merged_id=make_member().pk, at=AT).merge_id,
        "members_persona": Persona.objects.create(segment=segment, who="Somebody").pk,
        "members_memberlist": save_list(name="Fair", keys=[member.card_number], at=AT).list.pk,
        "analytics_memberscore": MemberScore.objects.create(
            member=member, recency=5, frequency=4, monetary=3, since=AT
        ).pk,
        "members_attribute": define_attribute(key="milk", label_en="Milk", kind="text").pk,
        "members_tag": save_tag(name="VIP").pk,
        "members_task": add_task(member_id=member.pk, title="Call", at=AT, actor_id=None).pk,
        "members_purchase": posted.id,
        "members_accesslog": AccessLog.objects.create(action="viewed", member=member).pk,
        "members_erasurerequest": request_erasure(member_id=member.pk, at=AT).pk,
        "members_retentionrule": retention_rule(),
        "members_dataexport": handed_over(member),
        "members_consentwording": publish_wording(purpose=Purpose.OFFERS, text_en="Yes").pk,
        "members_programme": 1,
        "members_pendingreaction": PendingReaction.objects.create(event=event, reaction="gone").pk,
        "members_purchaseimport": uploaded.pk,
        "members_customerimport": CustomerImport.objects.create(
            source="shop",
            state=ImportState.DONE,
            name="c.csv",
            layout=Layout("utf-8", ",", True, ["e-mail"]).as_json(),
            mapping={"email": 0},
        ).pk,
        "members_exportjob": exported.pk,
        "members_user": User.objects.create_user("somebody@example.com").pk,
        "auth_user": User.objects.get(email="somebody@example.com").pk,
        "auth_group": Group.objects.get(name="Till").pk,
        "rewards_checkinpoint": CheckInPoint.objects.create(name="Door", token="door").pk,
        "members_customevent": told_event(member),
        "rewards_transfer": transfer.pk,
        "rewards_rewardsettings": 1,
        "rewards_grantrequest": waiting_gift(member).pk,
        "rewards_lot": transfer.lot.pk,
        "rewards_earningrule": rule.pk,
        "rewards_replay": Replay.objects.create(
            starts_at=AT,
            ends_at=AT,
            state="done",
            result={"cells": [], "rules": [], "tiers": {}, "purchases": 0, "fired": 0, "members": 0}
            | {"point_cost": "0.01", "currency": "EUR"},
            created_at=AT,
        ).pk,
        "rewards_tierchange": TierChange.objects.create(member=member, to_tier=tiers["gold"], cause="staff", at=AT).pk,
        "rewards_tier": tiers["gold"].pk,
        **catalogue_of(member),
        "rewards_reassessment": Reassessment.objects.create(created_at=AT).pk,
        **had_and_bought(member),
        "api_apikey": create_key(name="Till", source="till", scopes=["members:read"])[0].pk,
        "api_answer": Answer.objects.create(call="members", source="till", key="1", fingerprint=b"1", status=201).pk,
        "campaigns_birthdaygreeting": get_greeting().pk,
        "campaigns_message": message(member).pk,
        "campaigns_sender": default_sender("email").pk,
        "campaigns_suppression": Suppression.objects.create(
            channel="email", address=address_key("gone@example.com"), reason="by_hand", created_at=AT
        ).pk,
        "campaigns_deliveryevent": DeliveryEvent.objects.create(
            source="postmark", key="1", kind="bounced", at=AT, received_at=AT
        ).pk,
        "campaigns_campaign": birthday_campaign().pk,
        "campaigns_trackevent": TrackEvent.objects.create(
            message=Message.objects.get(member=member), kind="open", at=AT, minute=AT, looks="unsure", method="GET"
        ).pk,
        **journey_of(member),
        **cases_of(member),
        **_friends(member),
        "surveys_survey": (asking := open_survey()).pk,
        "response_to_survey": begin(survey_id=asking.pk, way=Way.PUBLIC, language="en", at=AT).pk,
        "trigger_of_survey": make_trigger(survey_id=asking.pk, event="purchase", at=AT).pk,
        "campaigns_template": template.template_id,
        "campaigns_snippet": snippet.pk,
        "campaigns_brand": 1,
        "campaigns_broadcast": create(name="Spring", actor_id=None).pk,
        "campaigns_campaignsettings": get_settings().pk,
        "campaigns_occasion": Occasion.objects.get(key="mid-autumn").pk,
        "campaigns_topic": Topic.objects.create(name_en="Events", purpose="offers").pk,
        "campaigns_cap": Cap.objects.create(number=3, days=7).pk,
        "campaigns_optinrule": OptInRule.objects.create(channel="sms", purpose="offers", active=False).pk,
        "campaigns_occasiondate": OccasionDate.objects.filter(occasion__key="mid-autumn").latest("day").pk,
    }


def journey_of(member: Member) -> dict[str, int]:
    """A ready journey that runs, and a member on it."""
    made = take_ready(key="welcome", at=AT)
    version = publish_journey(journey_id=made.pk, at=AT)
    run = JourneyRun.objects.create(
        journey=made, version=version, member=member, key="event:1", state="active", step="hello", entered_at=AT,
        arrived_at=AT, should_at=AT, due_at=AT,
    )  # fmt: skip
    return {"campaigns_journey": made.pk, "campaigns_journeyrun": run.pk}


def told_event(member: Member) -> int:
    told = NewEvent(member_id=member.pk, source="shop", key="1", kind="workshop", at=AT)
    return record_custom_events(told=[told])[0].id


def had_and_bought(member: Member) -> dict[str, int]:
    """A benefit that was had, and a membership that was bought."""
    plan = MembershipPlan.objects.create(name_en="Plus", price_minor=4900)
    benefit = Benefit.objects.create(name_en="Lounge", kind="visits", uses=2)
    benefit.plans.add(plan)
    bought = buy_plan(member_id=member.pk, plan_id=plan.pk, source="till", key="1", at=timezone.now())
    use = use_benefit(member_id=member.pk, benefit_id=benefit.pk, source="till", key="1", at=timezone.now())
    return {
        "rewards_benefituse": use.pk,
        "rewards_benefit": benefit.pk,
        "rewards_planmembership": bought.pk,
        "rewards_membershipplan": plan.pk,
    }


def waiting_gift(member: Member) -> GrantRequest:
    """More than one person may give."""
    somebody = User.objects.create_user("giver@example.com", is_staff=True)
    save_reward_settings(values={"grant_limit": 100}, at=AT)
    given = grant_points(member_id=member.pk, amount=500, reason="Sorry", key="g", at=AT, actor_id=somebody.pk)
    save_reward_settings(values={"grant_limit": None}, at=AT)
    return given  # type: ignore[return-value]


def retention_rule() -> int:
    make_rules()
    return RetentionRule.objects.get(subject="uploads").pk


def handed_over(member: Member) -> int:
    """A file that staff had made of a member's data."""
    somebody = User.objects.create_user("desk@example.com", is_staff=True)
    return request_export(member_id=member.pk, at=AT, actor_id=somebody.pk).pk


def message(member: Member) -> Message:
    """A greeting that was missed."""
    moments = dict.fromkeys(("due_at", "expires_at", "changed_at", "next_try_at"), AT)
    return Message.objects.create(
        campaign=birthday_campaign(),
        channel=Channel.EMAIL,
        member=member,
        occurrence_year=2026,
        occurrence_day=AT.date(),
        state=MessageState.MISSED,
        **moments,
    )
