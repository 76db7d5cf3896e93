"""Answers are saved as one goes, count once, and are thanked for whatever they say."""

import io
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, close_old_connections, connection
from django.utils import timezone
from PIL import Image

from members.models import Member, TimelineEvent
from members.services.reactions import run_due
from members.tests.factories import make_member
from members.tests.killed import kill_at_call, killed_in
from rewards.models import Account, Transfer
from rewards.tests.factories import make_rule_of
from surveys.answers import Given
from surveys.definition import BadSurvey
from surveys.enums import ResponseState, SurveyState, Way
from surveys.models import Answer, Invitation, Response, Survey, SurveyVersion, Upload
from surveys.queries import given_in
from surveys.services import answering, mixing
from surveys.services.answering import AlreadyAnswered, BadAnswers, NotOpen, Unfinished, answer, begin, complete
from surveys.services.mixing import mix, mix_due
from surveys.services.publishing import Locked, WrongState, move, publish, save_draft, save_quota
from surveys.services.uploads import add_upload
from surveys.tests.factories import AT, open_survey, question, satisfaction

pytestmark = pytest.mark.django_db
BERLIN = {"trait": "city", "op": "any_of", "value": ["Berlin"]}
PUBLIC = {"way": Way.PUBLIC, "language": "en", "at": AT}


def answered(survey: Survey, score: int, *, invitation: UUID | None = None, **more) -> Response:
    """One who answers from beginning to end."""
    way = Way.LINK if invitation or more.get("member_id") else Way.PUBLIC
    response = begin(survey_id=survey.pk, language="en", at=AT, way=way, invitation=invitation, **more)
    answer(response_id=response.pk, values={"q1": score}, at=AT)
    return complete(response_id=response.pk, at=AT, invitation=invitation)


def invite(survey: Survey, member, key: str = "wave:1") -> Invitation:
    return Invitation.objects.create(survey=survey, member=member, key=key, created_at=AT)


def test_answers_are_kept_as_one_goes_and_may_be_changed_until_the_end():
    response = begin(survey_id=open_survey().pk, **PUBLIC)
    with pytest.raises(Unfinished) as left:
        complete(response_id=response.pk, at=AT)
    assert [each.id for each in left.value.questions] == ["q1"]
    answer(response_id=response.pk, values={"q1": "3"}, at=AT)
    answer(response_id=response.pk, values={"q2": "Slow", "q3": None}, at=AT)
    known = answer(response_id=response.pk, values={"q1": 9}, at=AT)
    assert known == {"q1": Given(number=Decimal(9)), "q3": Given()}
    done = complete(response_id=response.pk, at=AT)
    assert done.state == ResponseState.COMPLETE
    assert given_in(done) == known  # the reason of the unhappy went with the score that asked for it
    with pytest.raises(AlreadyAnswered):
        answer(response_id=response.pk, values={"q1": 1}, at=AT)
    with pytest.raises(AlreadyAnswered):
        complete(response_id=response.pk, at=AT)


@pytest.mark.parametrize("values", [{"q1": 11}, {"q1": 5, "q3": "z"}, {"q9": 1}])
def test_of_bad_answers_nothing_is_kept(values):
    response = begin(survey_id=open_survey().pk, **PUBLIC)
    with pytest.raises(BadAnswers):
        answer(response_id=response.pk, values=values, at=AT)
    assert not Answer.objects.exists()


def test_rules_may_give_something_for_an_answer_once():
    rule = make_rule_of("Answer", {"effect": {"kind": "fixed", "points": 7}}, trigger="survey_answered")
    member = make_member()
    answered(open_survey(thanks_points=50), 9, member_id=member.pk)
    for _again in range(2):
        run_due(at=timezone.now() + timedelta(hours=1))
    (earned,) = Transfer.objects.filter(rule__rule=rule)
    assert (earned.credit.member, earned.amount, earned.at) == (member, 7, AT)


def test_whoever_is_invited_answers_once_and_is_thanked_once():
    survey, member = open_survey(thanks_points=50, thanks_days=30), make_member()
    asked = invite(survey, member)
    first = begin(survey_id=survey.pk, way=Way.LINK, language="en", at=AT, invitation=asked.uid)
    assert begin(survey_id=survey.pk, way=Way.LINK, language="en", at=AT, invitation=asked.uid) == first  # resumed
    answer(response_id=first.pk, values={"q1": 2}, at=AT)
    complete(response_id=first.pk, at=AT)
    with pytest.raises(AlreadyAnswered):
        begin(survey_id=survey.pk, way=Way.LINK, language="en", at=AT, invitation=asked.uid)
    assert Account.objects.get(member=member, unit="points").balance == 50
    assert Transfer.objects.get(why__survey=survey.pk).amount == 50
    kinds = list(TimelineEvent.objects.filter(member=member).order_by("pk").values_list("kind", flat=True))
    assert kinds[-3:] == ["survey.answered", "survey.detractor", "points.gifted"]


def test_members_who_come_by_themselves_answer_once():
    survey, member = open_survey(), make_member()
    answered(survey, 9, member_id=member.pk)
    with pytest.raises(AlreadyAnswered):
        begin(survey_id=survey.pk, way=Way.PORTAL, language="en", at=AT, member_id=member.pk)


@pytest.mark.parametrize(
    ("changes", "at", "reason"),
    [
        ({"opens_at": AT + timedelta(days=1)}, AT, "not_yet"),
        ({"closes_at": AT}, AT, "closed"),
        ({"ways": [Way.LINK]}, AT, "way"),
    ],
)
def test_a_survey_takes_answers_when_and_as_it_says(changes, at, reason):
    survey = open_survey(**changes)
    with pytest.raises(NotOpen) as refused:
        begin(survey_id=survey.pk, way=Way.PUBLIC, language="en", at=at)
    assert refused.value.reason == reason


def test_what_was_begun_is_finished_on_its_version():
    survey = open_survey()
    response = begin(survey_id=survey.pk, **PUBLIC)
    changed = satisfaction()
    changed["sections"][0]["questions"] = [question("q8", "csat", required=True)]
    save_draft(survey_id=survey.pk, definition=changed, at=AT)
    publish(survey_id=survey.pk, at=AT)
    answer(response_id=response.pk, values={"q1": 8}, at=AT)
    assert complete(response_id=response.pk, at=AT).version.number == 1
    later = begin(survey_id=survey.pk, **PUBLIC)
    assert later.version.number == 2
    with pytest.raises(BadAnswers):
        answer(response_id=later.pk, values={"q1": 8}, at=AT)
    with pytest.raises(DatabaseError):
        SurveyVersion.objects.filter(number=1).update(definition={})


def test_a_full_quota_counts_no_more_and_is_thanked_all_the_same():
    survey = open_survey(thanks_points=5)
    happy = {"answer": "q1", "op": "at_least", "value": 9}
    quota = save_quota(survey_id=survey.pk, name="Happy", condition=happy, most=1, at=AT)
    states = [answered(survey, 9, invitation=invite(survey, make_member()).uid).state for _ in range(2)]
    assert states == [ResponseState.COMPLETE, ResponseState.OVER_QUOTA]
    assert answered(survey, 3).state == ResponseState.COMPLETE  # not of those that are enough
    quota.refresh_from_db()
    assert quota.taken == 1
    assert Transfer.objects.filter(why__survey=survey.pk).count() == 2


def test_states_follow_one_another():
    survey = open_survey()
    for to in (SurveyState.PAUSED, SurveyState.CLOSED, SurveyState.ARCHIVED):
        move(survey_id=survey.pk, to=to, at=AT)
        with pytest.raises(NotOpen):
            begin(survey_id=survey.pk, **PUBLIC)
    with pytest.raises(WrongState):
        move(survey_id=survey.pk, to=SurveyState.OPEN, at=AT)


@pytest.mark.django_db(transaction=True)
def test_ten_on_the_last_place_take_it_once():
    survey = open_survey(response_limit=3)
    answered(survey, 9), answered(survey, 9)
    begun = [begin(survey_id=survey.pk, **PUBLIC) for _ in range(10)]
    for each in begun:
        answer(response_id=each.pk, values={"q1": 7}, at=AT)

    def finish(response: Response) -> str:
        try:
            return complete(response_id=response.pk, at=AT).state
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        states = sorted(pool.map(finish, begun))
    close_old_connections()
    assert states == ["complete", *["over_quota"] * 9]
    assert Survey.objects.get().taken == 3


@pytest.mark.django_db(transaction=True)
def test_ten_members_on_the_last_place_of_their_group_take_it_once():
    survey = open_survey()
    berliners = [make_member(city="Berlin") for _ in range(10)]
    quota = save_quota(survey_id=survey.pk, name="Berlin", who=BERLIN, most=1, at=AT)
    begun = [
        begin(survey_id=survey.pk, way=Way.LINK, language="en", at=AT, invitation=invite(survey, one).uid)
        for one in berliners
    ]
    for each in begun:
        answer(response_id=each.pk, values={"q1": 7}, at=AT)

    def finish(response: Response) -> str:
        try:
            return complete(response_id=response.pk, at=AT).state
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        states = sorted(pool.map(finish, begun))
    close_old_connections()
    assert states == ["complete", *["over_quota"] * 9]
    quota.refresh_from_db()
    assert quota.taken == 1


def test_a_quota_of_members_is_of_who_they_are_and_lets_strangers_through():
    survey = open_survey()
    answered(survey, 9, invitation=invite(survey, make_member(city="Berlin")).uid)
    happy = {"answer": "q1", "op": "at_least", "value": 9}
    quota = save_quota(survey_id=survey.pk, name="Happy in Berlin", condition=happy, who=BERLIN, most=2, at=AT)
    assert quota.taken == 1  # who is there already

    def state(score: int, **who) -> str:
        return answered(survey, score, invitation=invite(survey, make_member(**who)).uid).state

    assert [state(9, city="Berlin"), state(9, city="Berlin")] == ["complete", "over_quota"]
    assert [state(3, city="Berlin"), state(9, city="Paris"), state(9)] == ["complete"] * 3
    assert answered(survey, 9).state == "complete"  # nobody knows who
    moved = invite(survey, make_member(city="Paris"))
    response = begin(survey_id=survey.pk, way=Way.LINK, language="en", at=AT, invitation=moved.uid)
    answer(response_id=response.pk, values={"q1": 9}, at=AT)
    Member.objects.filter(pk=moved.member_id).update(city="Berlin")
    assert complete(response_id=response.pk, at=AT).state == "over_quota"  # who they are when they finish
    for wrong in ({}, {"who": {"trait": "no-such"}}, {"condition": {"member": BERLIN}}):
        with pytest.raises(BadSurvey):
            save_quota(survey_id=survey.pk, name="Wrong", most=1, at=AT, **wrong)
    with pytest.raises(BadSurvey):
        save_quota(survey_id=open_survey(anonymous=True).pk, name="Wrong", who=BERLIN, most=1, at=AT)


def test_anonymous_answers_are_joined_to_nobody():
    survey = open_survey(anonymous=True, thanks_points=5)
    asked = [invite(survey, make_member()) for _ in range(6)]
    for each in asked[:4]:
        answered(survey, 9, invitation=each.uid)
    assert mix(survey_id=survey.pk, at=AT) == 0  # too few
    before = set(Response.objects.values_list("pk", "uid"))
    for each in asked[4:]:
        answered(survey, 2, invitation=each.uid)
    later = AT + timedelta(hours=1)
    assert mix(survey_id=survey.pk, at=later) == 6
    rows = list(Response.objects.all())
    assert not before & {(row.pk, row.uid) for row in rows}
    assert {(row.member_id, row.invitation_id, row.purchase_id) for row in rows} == {(None, None, None)}
    assert {(row.started_at, row.changed_at, row.completed_at) for row in rows} == {(later, later, later)}
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT xmin::text FROM surveys_response UNION SELECT xmin::text FROM surveys_answer")
        assert len(cursor.fetchall()) == 1
    assert sorted(Answer.objects.values_list("number", flat=True)) == [2, 2, 9, 9, 9, 9]
    assert Transfer.objects.filter(why__survey=survey.pk).count() == 6
    told = TimelineEvent.objects.filter(kind__startswith="survey.").values_list("kind", "data")
    assert {(kind, tuple(sorted(data))) for kind, data in told} == {("survey.answered", ("name", "survey"))}
    with pytest.raises(AlreadyAnswered):
        begin(survey_id=survey.pk, way=Way.LINK, language="en", at=AT, invitation=asked[0].uid)
    with pytest.raises(Locked):
        save_draft(survey_id=survey.pk, anonymous=False, at=AT)


@pytest.mark.parametrize("ends", ["closed", "by its date", "by its limit"])
def test_the_last_few_of_an_anonymous_survey_go_with_those_before(ends):
    survey = open_survey(anonymous=True)
    for score in range(5):
        answered(survey, score, invitation=invite(survey, make_member()).uid)
    mix(survey_id=survey.pk, at=AT)
    answered(survey, 10, invitation=invite(survey, make_member()).uid)
    assert mix(survey_id=survey.pk, at=AT) == 0  # it goes on
    if ends == "closed":
        move(survey_id=survey.pk, to=SurveyState.CLOSED, at=AT)
    else:
        over = {"closes_at": AT + timedelta(hours=1)} if ends == "by its date" else {"response_limit": 6, "taken": 6}
        Survey.objects.filter(pk=survey.pk).update(**over)
    assert mix(survey_id=survey.pk, at=AT + timedelta(days=1)) == 6
    assert set(Response.objects.values_list("mixed_at", flat=True)) == {AT}


def test_pictures_of_an_anonymous_survey_are_mixed_and_named_anew():
    survey, picture = open_survey(anonymous=True), io.BytesIO()
    Image.new("RGB", (120, 90), "red").save(picture, "PNG")
    for score in range(5):
        response = answered(survey, score, invitation=invite(survey, make_member()).uid)
        upload = add_upload(response_id=response.pk, file=io.BytesIO(picture.getvalue()), at=AT)
        Answer.objects.create(response=response, question="q2", upload=upload)
    before = set(Upload.objects.values_list("picture", flat=True))
    assert mix_due(at=AT + timedelta(days=1)) == 5
    after = list(Upload.objects.all())
    assert len(after) == Answer.objects.exclude(upload=None).count() == 5
    assert not before & {upload.picture.name for upload in after}
    assert all(upload.picture.size for upload in after)


def test_one_survey_that_cannot_be_mixed_keeps_no_other_from_it(monkeypatch):
    first, second = open_survey(anonymous=True), open_survey(anonymous=True)
    for score in range(5):
        for survey in (first, second):
            answered(survey, score, invitation=invite(survey, make_member()).uid)

    def broken(*, survey_id: int, at) -> int:
        if survey_id == first.pk:
            raise RuntimeError
        return mix(survey_id=survey_id, at=at)

    monkeypatch.setattr(mixing, "mix", broken)
    assert mix_due(at=AT + timedelta(days=1)) == 5


def test_a_link_of_nobody_is_refused():
    with pytest.raises(Invitation.DoesNotExist):
        begin(survey_id=open_survey().pk, way=Way.LINK, language="en", at=AT, invitation=uuid4())


def finish_and_die(response_id: int) -> None:
    kill_at_call(answering, "give_points", 1)
    complete(response_id=response_id, at=AT)


@pytest.mark.django_db(transaction=True)
def test_killed_between_thanks_and_record_it_is_thanked_once():
    survey, member = open_survey(thanks_points=50), make_member()
    asked = invite(survey, member)
    response = begin(survey_id=survey.pk, way=Way.LINK, language="en", at=AT, invitation=asked.uid)
    answer(response_id=response.pk, values={"q1": 9}, at=AT)
    killed_in(finish_and_die, response.pk)
    asked.refresh_from_db()
    assert asked.state == "started"
    assert not Transfer.objects.exists()
    complete(response_id=response.pk, at=AT)
    assert Transfer.objects.get().amount == 50
