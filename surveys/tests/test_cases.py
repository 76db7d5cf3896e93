"""Every unhappy customer lands on a desk, is answered in time, and gets what was promised once."""

import json
from datetime import UTC, date, datetime, time, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.core import mail
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError

from members.models import Programme, TimelineEvent, User
from members.services.erasure import erase_member
from members.services.merging import merge_members
from members.services.purchases import KeyReused
from members.services.reactions import run_due
from members.tests.factories import make_member
from rewards.enums import GrantState
from rewards.models import Account, GrantRequest
from rewards.services.grants import AlreadyDecided, OwnRequest, approve_grant
from rewards.services.pictures import PictureRefused
from rewards.tests.coupons import make_offer
from rewards.tests.factories import post
from surveys.clock import Hours, due, passed
from surveys.enums import Way
from surveys.enums_cases import ActionState, CaseState, Effect, RemedyState
from surveys.models import (
    CareSettings,
    Case,
    CaseChange,
    CaseMessage,
    CaseRule,
    Category,
    OpeningHours,
    RemedyLimit,
    RootCause,
    SuggestionLike,
)
from surveys.panels_answers import _answers
from surveys.privacy import _responses
from surveys.queries_effect import effect_of, score_after
from surveys.rates import per_thousand, rate_ratio, time_to
from surveys.services.answering import answer, begin, complete
from surveys.services.cases.acting import (
    CannotMerge,
    NoSuchMove,
    Stale,
    assign,
    close_settled,
    merge,
    move,
    note,
    reply,
    set_facts,
)
from surveys.services.cases.hearing import mail_arrives, member_writes
from surveys.services.cases.improving import TooEarly, check, like, plan, publish, set_state, share
from surveys.services.cases.opening import MOST, TooMuchText, open_case
from surveys.services.cases.remedies import decide, give_coupon, give_points, standing
from surveys.services.cases.ruling import open_by_rules
from surveys.services.cases.sending import send_due, tell_owners, watch
from surveys.tests.factories import AT, open_survey, question

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")
WEEK = tuple((day, time(9), time(17)) for day in range(5))


def staff(email: str = "desk@example.com", **more) -> User:
    return User.objects.create_user(email, is_staff=True, **more)


def opened(member=None, text: str = "Cold coffee again", at=AT, **more) -> Case:
    member = member or make_member(email="anna@example.com")
    return open_case(
        **{"kind": "complaint", "text": text, "source": "portal", "member_id": member.pk, "at": at, **more}
    )


def kinds(member) -> list[str]:
    events = TimelineEvent.objects.filter(member=member, kind__startswith="case.").order_by("pk")
    return list(events.values_list("kind", flat=True))


# --- The clock --------------------------------------------------------------------------------------------------
def test_the_clock_counts_business_hours_alone():
    hours = Hours(BERLIN, WEEK, frozenset({date(2026, 5, 14)}))  # Ascension, a Thursday
    wednesday = datetime(2026, 5, 13, 16, 30, tzinfo=BERLIN)
    assert due(wednesday, 60, hours) == datetime(2026, 5, 15, 9, 30, tzinfo=BERLIN)  # over the holiday
    assert due(datetime(2026, 5, 16, 12, tzinfo=BERLIN), 30, hours) == datetime(2026, 5, 18, 9, 30, tzinfo=BERLIN)
    assert passed(wednesday, datetime(2026, 5, 15, 9, 30, tzinfo=BERLIN), hours) == 60
    assert passed(wednesday, wednesday - timedelta(hours=1), hours) == 0
    assert due(wednesday, 60, Hours(BERLIN)) == wednesday + timedelta(hours=1)
    with pytest.raises(ValueError, match="does not open"):
        due(wednesday, 1, Hours(BERLIN, ((0, time(9), time(9)),)))


@pytest.mark.parametrize(
    ("day", "minutes"), [(date(2026, 3, 29), 120), (date(2026, 10, 25), 240), (date(2026, 5, 3), 180)]
)
def test_a_night_with_a_change_of_the_clocks_has_the_hours_it_has(day, minutes):
    hours = Hours(BERLIN, ((6, time(1), time(4)),))
    start = datetime.combine(day, time(0), BERLIN)
    assert passed(start, start + timedelta(days=1), hours) == minutes
    assert due(start, minutes, hours) == datetime.combine(day, time(4), BERLIN)


# --- Opening ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("score", "rule", "severity"),
    [(3, {}, "normal"), (9, {}, None), (8, {"at_most": 8, "question": "q1", "severity": "urgent"}, "urgent")],
)
def test_a_low_score_opens_one_case_by_the_shops_rules(score, rule, severity):
    survey, member = open_survey(), make_member()
    CaseRule.objects.all().delete()
    CaseRule.objects.create(**({"survey": survey} if rule else {}), **rule)
    response = begin(survey_id=survey.pk, way=Way.PORTAL, language="en", at=AT, member_id=member.pk)
    values = {"q1": score} | ({"q2": "The milk was sour\n=1+1"} if score <= 6 else {})
    answer(response_id=response.pk, values=values, at=AT)
    complete(response_id=response.pk, at=AT)
    for _twice in range(2):
        run_due(at=datetime.now(UTC))
    cases = list(Case.objects.filter(member=member))
    if severity is None:
        assert cases == []
        return
    (case,) = cases
    assert (case.severity, case.score, case.response_id, case.source) == (severity, score, response.pk, "survey")
    if score == 3:
        assert case.subject == "The milk was sour =1+1"
        assert "The milk was sour" in case.messages.get().text
    else:  # the member reads it, not what the survey is called in the office
        assert case.subject == "Q1 · 8"
    assert kinds(member) == ["case.opened"]


def test_words_of_earlier_answers_stand_in_what_staff_and_the_member_read_of_it(rf):
    why = {"en": "{{ name }}, you gave {{ q1 }}. Why?", "zh-hans": "{{ name }}，您给了 {{ q1 }}。为什么？"}
    told = [question("q1", "nps"), {**question("q2", "long"), "title": why}]
    survey, member = open_survey({"sections": [{"id": "s1", "questions": told}]}), make_member(name="Anna")
    CaseRule.objects.create(severity="normal")
    response = begin(survey_id=survey.pk, way=Way.PORTAL, language="en", at=AT, member_id=member.pk)
    answer(response_id=response.pk, values={"q1": 3, "q2": "Slow"}, at=AT)
    complete(response_id=response.pk, at=AT)
    case = open_by_rules(response_id=response.pk, at=AT)
    asked = "Anna, you gave 3. Why?"
    assert asked in case.messages.get().text
    (panel,) = _answers(member, AT, rf.get("/"))["told"]
    assert (panel["score"], panel["answers"][1]["question"]) == ((3, 10), asked)
    assert asked in json.dumps(_responses(member.pk), default=str)


def test_the_same_key_is_one_case_and_bad_input_is_none():
    member = make_member()
    first = opened(member, key="api:1")
    assert opened(member, key="api:1") == first
    with pytest.raises(KeyReused):
        opened(member, "Something else", key="api:1")
    for text in ("", "x" * 100_000, "\x00"):
        with pytest.raises(TooMuchText):
            opened(member, text)
    with pytest.raises(PictureRefused):
        opened(member, picture=SimpleUploadedFile("a.png", b"<svg onload=alert(1)>").file)
    assert Case.objects.count() == 1
    assert opened(member, "x" * MOST).subject.endswith("…")


# --- The desk ---------------------------------------------------------------------------------------------------
def test_a_case_goes_from_hand_to_hand_until_it_is_put_right():
    case, me = opened(), staff()
    note(case_id=case.pk, text="Third time this week", at=AT, actor_id=me.pk)
    assign(case_id=case.pk, owner_id=me.pk, at=AT, actor_id=me.pk, version=1)
    reply(
        case_id=case.pk,
        text="We are sorry.",
        channel="email",
        at=AT + timedelta(hours=2),
        actor_id=me.pk,
        version=2,
        then="waiting",
    )
    case.refresh_from_db()
    assert (case.state, case.answer_minutes, case.remind_at) == (CaseState.WAITING, 120, None)
    left = case.resolve_due_at - case.waiting_since
    member_writes(case_id=case.pk, text="It is better", channel="portal", at=AT + timedelta(days=3))
    case.refresh_from_db()
    assert case.state == CaseState.OPEN
    assert case.resolve_due_at == AT + timedelta(days=3) + left  # the clock stood
    move(case_id=case.pk, to="resolved", at=AT + timedelta(days=4), actor_id=me.pk, version=None)
    with pytest.raises(NoSuchMove):
        move(case_id=case.pk, to="waiting", at=AT, actor_id=me.pk, version=None)
    assert close_settled(at=AT + timedelta(days=10)) == 0
    assert close_settled(at=AT + timedelta(days=11)) == 1
    member_writes(case_id=case.pk, text="Sour again", channel="portal", at=AT + timedelta(days=12))
    case.refresh_from_db()
    assert (case.state, case.reopened, case.resolved_at, case.answer_minutes) == (CaseState.OPEN, 1, None, 120)
    assert kinds(case.member) == ["case.opened", "case.answered", "case.closed", "case.reopened"]
    whats = list(CaseChange.objects.filter(case=case).order_by("pk").values_list("what", flat=True))
    assert whats == [
        "opened",
        "note",
        "owner",
        "answered",
        "state",
        "wrote",
        "state",
        "state",
        "state",
        "wrote",
        "reopened",
    ]
    with pytest.raises(DatabaseError):
        CaseChange.objects.filter(case=case).update(what="x")


def test_two_who_act_at_once_do_not_write_over_each_other():
    case, me, other = opened(), staff(), staff("bo@example.com", first_name="Bo")
    set_facts(case_id=case.pk, facts={"severity": "urgent"}, at=AT, actor_id=other.pk, version=1)
    with pytest.raises(Stale) as stale:
        reply(case_id=case.pk, text="Hello", channel="portal", at=AT, actor_id=me.pk, version=1)
    assert (stale.value.who, stale.value.what) == ("Bo", "facts")
    assert not CaseMessage.objects.filter(kind="out").exists()
    case.refresh_from_db()
    assert case.answer_due_at == AT + timedelta(minutes=60)


def test_cases_of_one_member_are_merged_and_answer_as_one():
    first, me = opened(), staff()
    second, foreign = opened(first.member, "The same again", at=AT + timedelta(hours=1)), opened(make_member())
    with pytest.raises(CannotMerge):
        merge(case_id=second.pk, into_id=foreign.pk, at=AT, actor_id=me.pk, version=None)
    merge(case_id=second.pk, into_id=first.pk, at=AT, actor_id=me.pk, version=None)
    member_writes(case_id=second.pk, text="Any news?", channel="portal", at=AT)
    assert first.messages.filter(text="Any news?").exists()
    for wrong in (first.pk, second.pk):
        with pytest.raises(CannotMerge):
            merge(case_id=second.pk, into_id=wrong, at=AT, actor_id=me.pk, version=None)


def test_owners_are_reminded_before_and_managers_told_after(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    OpeningHours.objects.bulk_create([OpeningHours(weekday=d, opens=o, closes=c) for d, o, c in WEEK])
    Programme.objects.create(pk=1, time_zone="Europe/Berlin")
    me = staff()
    case = opened(owner_id=me.pk, severity="high")  # Tuesday 11:00 in Berlin: to be answered by 15:00
    assert case.answer_due_at == datetime(2026, 5, 12, 13, tzinfo=UTC)
    assert watch(at=AT + timedelta(hours=2, minutes=59)) == 0
    assert [watch(at=AT + timedelta(hours=3)) for _twice in range(2)] == [1, 0]
    assert [watch(at=AT + timedelta(hours=4)) for _twice in range(2)] == [1, 0]
    assert [m.to for m in mail.outbox] == [["desk@example.com"]] * 2
    assert "is late" in mail.outbox[1].subject
    case.refresh_from_db()
    assert case.escalated_at == AT + timedelta(hours=4)


# --- By mail ----------------------------------------------------------------------------------------------------
def test_members_answer_by_mail_and_scanners_of_words_do_not_open_cases_twice(settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.CASES_MAILBOX = "care@shop.example"
    case, me = opened(), staff()
    reply(
        case_id=case.pk,
        text="What did you order?",
        channel="email",
        at=AT,
        actor_id=me.pk,
        version=None,
        then="waiting",
    )
    assert [send_due(at=AT) for _twice in range(2)] == [1, 0]
    (sent,) = mail.outbox
    assert sent.to == ["anna@example.com"]
    (back,) = sent.reply_to
    assert back == f"care+{case.uid.hex}@shop.example"
    told = {
        "recipients": [back], "sender": "other@example.com", "subject": "Re:", "message_id": "<1@x>", "at": AT,
        "text": "A latte\n\nOn Tue, the shop wrote:\n> What did you order?",
    }  # fmt: skip
    first = mail_arrives(**told)
    assert first is not None
    assert (first.case_id, first.text) == (case.pk, "A latte")
    assert mail_arrives(**told) == first
    case.refresh_from_db()
    assert case.state == CaseState.OPEN
    fresh = mail_arrives(
        **told | {"recipients": ["care@shop.example"], "message_id": "<2@x>", "sender": "Anna@example.com"}
    )
    assert fresh is not None
    assert fresh.case.member == case.member
    stranger = mail_arrives(
        **told | {"recipients": ["care@shop.example"], "message_id": "<3@x>", "sender": "who@example.com"}
    )
    assert stranger is not None
    assert (stranger.case.member, stranger.case.contact) == (None, "who@example.com")
    assert mail_arrives(**told | {"text": " \n", "message_id": "<4@x>"}) is None


# --- Remedies ---------------------------------------------------------------------------------------------------
def test_points_are_given_once_within_the_limit_of_the_role_and_above_it_another_decides():
    from django.contrib.auth.models import Group

    case, me, boss = opened(), staff(), staff("boss@example.com")
    role, _made = Group.objects.get_or_create(name="Marketer")
    me.groups.add(role)
    RemedyLimit.objects.create(role=role, points=100, coupons=1)
    key = uuid4()
    given = {"case_id": case.pk, "reason": "Cold coffee", "at": AT, "actor_id": me.pk}
    first = give_points(**given, key=key, points=80)
    assert give_points(**given, key=key, points=80) == first
    with pytest.raises(KeyReused):
        give_points(**given, key=key, points=90)
    assert Account.objects.get(member=case.member, unit="points").balance == 80
    more = give_points(**given, key=uuid4(), points=50)  # 130 in all
    assert (more.state, standing(more)) == (RemedyState.WAITING, RemedyState.WAITING)
    asked = GrantRequest.objects.get(state=GrantState.WAITING)
    with pytest.raises(OwnRequest):
        approve_grant(request_id=asked.pk, at=AT, actor_id=me.pk)
    approve_grant(request_id=asked.pk, at=AT, actor_id=boss.pk)
    more.refresh_from_db()
    assert standing(more) == RemedyState.GIVEN
    assert Account.objects.get(member=case.member, unit="points").balance == 130


def test_a_second_coupon_waits_for_another_person():
    case, me, boss, offer = opened(), staff(), staff("boss@example.com"), make_offer()
    given = {"case_id": case.pk, "offer_id": offer.pk, "reason": "Sorry", "at": AT, "actor_id": me.pk}
    assert give_coupon(**given, key=uuid4()).state == RemedyState.GIVEN
    second = give_coupon(**given, key=uuid4())
    assert second.state == RemedyState.WAITING
    with pytest.raises(OwnRequest):
        decide(remedy_id=second.pk, agreed=True, at=AT, actor_id=me.pk)
    assert decide(remedy_id=second.pk, agreed=True, at=AT, actor_id=boss.pk).coupon.member_id == case.member_id
    with pytest.raises(AlreadyDecided):
        decide(remedy_id=second.pk, agreed=False, at=AT, actor_id=boss.pk)


# --- Causes -----------------------------------------------------------------------------------------------------
def test_an_improvement_is_looked_at_after_its_days():
    cause = RootCause.objects.create(name="Old machine")
    case, later = opened(), opened(make_member(), "Also cold")
    action = plan(title="New machine", cause_id=cause.pk, at=AT, actor_id=None, check_days=7, case_id=case.pk)
    share(action_id=action.pk, case_id=later.pk, at=AT, actor_id=None)
    assert set(action.cases.all()) == {case, later}
    with pytest.raises(TooEarly):
        check(action_id=action.pk, at=AT)
    set_state(action_id=action.pk, state=ActionState.DONE, at=AT + timedelta(days=1))
    with pytest.raises(TooEarly) as early:
        check(action_id=action.pk, at=AT + timedelta(days=5))
    assert early.value.until == AT + timedelta(days=8)
    checked = check(action_id=action.pk, at=AT + timedelta(days=8))
    assert (checked.effect, checked.found["before"][0], checked.found["after"][0]) == (Effect.UNCLEAR, 2, 0)


@pytest.mark.parametrize(
    ("before", "after", "effect"),
    [(12, 1, Effect.WORKED), (2, 4, Effect.FAILED), (3, 2, Effect.UNCLEAR)],
)
def test_it_helped_where_the_cause_is_rarer_for_sure_and_came_back_where_it_is_not_rarer(before, after, effect):
    cause, done = RootCause.objects.create(name="Old machine"), AT + timedelta(days=7)
    member = make_member()
    for day, n in ((1, before), (8, after)):
        post(member, AT + timedelta(days=day), purchased_at=AT + timedelta(days=day))
        for _n in range(n):
            opened(member, at=AT + timedelta(days=day))
    Case.objects.update(cause=cause)
    action = plan(title="New machine", cause_id=cause.pk, at=AT, actor_id=None, check_days=7)
    set_state(action_id=action.pk, state=ActionState.DONE, at=done)
    assert check(action_id=action.pk, at=done + timedelta(days=7)).effect == effect


def test_suggestions_are_liked_once_and_counted_without_who_is_gone():
    case, other = opened(kind="suggestion", text="Oat milk, please"), make_member()
    idea = publish(
        case_id=case.pk, title_en="Oat milk", answer_en="From June", state="done", at=AT, actor_id=staff().pk
    )
    for _twice in range(2):
        assert like(suggestion_id=idea.pk, member_id=other.pk, wanted=True, at=AT) == 1
    assert like(suggestion_id=idea.pk, member_id=case.member_id, wanted=True, at=AT) == 2
    merge_members(survivor_id=case.member_id, merged_id=other.pk, at=AT)
    assert idea.likes.filter(member__merged_into=None).count() == 1
    erase_member(member_id=case.member_id, at=AT)
    assert not SuggestionLike.objects.filter(member=case.member_id).exists()
    case.refresh_from_db()
    assert (case.subject, case.messages.get().text) == ("", "")


# --- Arithmetic -------------------------------------------------------------------------------------------------
def test_rates_and_times_equal_the_ones_in_books():
    rate = per_thousand(10, 2_000)
    assert rate.low is not None
    assert rate.high is not None
    assert (rate.value, round(rate.low, 2), round(rate.high, 2)) == (5.0, 2.39, 9.2)  # exact Poisson: 4.795–18.39 of 10
    assert per_thousand(0, 0).value is None
    down = rate_ratio(20, 1_000, 5, 1_000)
    assert down.high is not None
    assert (down.value, down.high < 1) == (0.25, True)
    assert rate_ratio(0, 100, 0, 100).value is None
    # Freireich 1963, 6-MP: the median of the treated is 23 weeks (Kaplan-Meier), with 12 of 21 censored.
    relapsed = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    found = time_to([(t, True) for t in relapsed] + [(t, False) for t in censored])
    assert (found.n, found.events, found.median, found.p90) == (21, 9, 23, None)
    assert time_to([(3, False)]).median is None


# --- Whose it is ------------------------------------------------------------------------------------------------
def desk_of(*emails: str) -> list[User]:
    from django.contrib.auth.models import Group

    role = Group.objects.get(name="Marketer")
    people = [staff(email) for email in emails]
    role.user_set.add(*people)
    settings, _made = CareSettings.objects.get_or_create(pk=1)
    settings.on_duty.add(*people)
    return people


def test_a_case_lands_with_whoever_has_the_fewest_and_they_are_told_once():
    assert opened(text="Nobody is on duty").owner is None
    first, second = desk_of("a@example.com", "b@example.com")
    cook, member = staff("cook@example.com"), make_member()
    cases = [opened(member, text=f"{n}") for n in range(3)]
    assert [case.owner for case in cases] == [first, second, first]
    kitchen = Category.objects.create(name="Food", owner=cook)
    assert opened(member, text="Cold", category_id=kitchen.pk).owner == second  # the cook may not work on cases
    cook.groups.add(*first.groups.all())
    assert opened(member, text="Old", category_id=kitchen.pk).owner == cook
    assert opened(member, text="Mine", owner_id=second.pk, actor_id=second.pk).owner == second
    User.objects.filter(pk=second.pk).update(is_active=False)
    given = opened(member, text="After")
    assert given.owner == first
    assert [tell_owners() for _twice in range(2)] == [4, 0]  # nobody who is away, nor who opened it themselves
    assert sorted(one.to[0] for one in mail.outbox) == ["a@example.com"] * 3 + ["cook@example.com"]
    assign(case_id=given.pk, owner_id=cook.pk, at=AT, actor_id=first.pk, version=None)
    assign(case_id=cases[0].pk, owner_id=cook.pk, at=AT, actor_id=cook.pk, version=None)  # took it
    assert tell_owners() == 1
    assert f"C-{given.pk}" in mail.outbox[-1].subject


def test_who_recovered_is_told_by_the_same_kind_of_score():
    """3 of 10 opened the case; that the coffee has 3 stars then and 5 now says nothing of that."""
    stars, again = question("a1", "stars"), question("n9", "nps")
    survey = open_survey({"sections": [{"id": "s1", "questions": [stars, question("q1", "nps")]}]})
    other = open_survey({"sections": [{"id": "s1", "questions": [{**stars, "id": "q1"}, again]}]})
    CaseRule.objects.create(severity="high")
    member = make_member()

    def says(of, values, at):
        begun = begin(survey_id=of.pk, way=Way.PUBLIC, language="en", at=at, member_id=member.pk, asked_for=str(at))
        answer(response_id=begun.pk, values=values, at=at)
        return complete(response_id=begun.pk, at=at)

    says(survey, {"a1": 3, "q1": 3}, AT)
    run_due(at=datetime.now(UTC))
    case = Case.objects.get()
    assert (case.question, case.score_kind, case.score) == ("q1", "nps", 3)
    cause = RootCause.objects.create(name="Cold")
    done = plan(title="New machine", cause_id=cause.pk, at=AT, actor_id=None, case_id=case.pk)
    move(case_id=case.pk, to="resolved", at=AT + timedelta(hours=1), actor_id=staff().pk, version=None)
    set_state(action_id=done.pk, state=ActionState.DONE, at=AT + timedelta(hours=2))
    done.refresh_from_db()
    says(other, {"q1": 5, "n9": 3}, AT + timedelta(days=1))
    found = effect_of(done, at=AT + timedelta(days=2)).recovery
    assert (found.asked, found.happier, found.before, found.after) == (1, 0, 3, 3)
    assert score_after(Case.objects.get()) == 3
