"""Definitions as people and attackers write them: read, or refused with a place and a sentence."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import translation

from common.sql import execute
from members.models import Attribute, Member, Segment, SegmentPick, Tag
from members.segments import asking, words
from members.segments.compile import selecting
from members.segments.tree import BadDefinition, is_profiling, is_timed, parse, segments_used
from members.services.purchases import record_purchases
from members.services.summaries import recompute
from members.tests.factories import make_member, new_purchase

pytestmark = pytest.mark.django_db
AT = datetime(2026, 5, 12, 10, 0, tzinfo=UTC)
BERLIN = {"trait": "city", "op": "any_of", "value": ["Berlin"]}
BOUGHT = {"trait": "purchase.count", "op": "at_least", "value": 1}


def problems(definition: Any) -> dict[str, str]:
    """Sentences by place."""
    with pytest.raises(BadDefinition) as caught:
        asking.count(definition, at=AT)
    return {problem.path: problem.sentence for problem in caught.value.problems}


def nested(deep: int) -> dict[str, Any]:
    node: dict[str, Any] = BERLIN
    for _ in range(deep):
        node = {"not": node}
    return node


def test_fifty_deep_is_read_and_deeper_is_refused():
    make_member(city="Berlin")
    make_member(city="Rome")
    assert asking.count(nested(50), at=AT) == 1
    assert words.summary(nested(50)).startswith("All members, but not those for whom it is not so:")
    assert problems(nested(51)) == {"": "Groups may be nested at most 50 deep."}
    assert problems(nested(100_000)) == {"": "Groups may be nested at most 50 deep."}


def test_five_hundred_conditions_are_counted_and_explained_and_more_are_refused():
    anna = make_member(city="Berlin")
    make_member(city="Rome")
    many = [{"trait": "city", "op": "contains", "value": f"Berli{n}"} for n in range(499)]
    assert asking.count({"any": [*many, BERLIN]}, at=AT) == 1
    told = asking.why({"any": [*many, BERLIN]}, member_id=anna.pk, at=AT)
    assert [leaf.value for leaf in told.children[0].children].count(True) == 1
    assert words.summary({"any": [*many, BERLIN]})
    assert problems({"any": [*many, BERLIN, BERLIN]}) == {"": "A segment may have at most 500 conditions."}
    assert problems({"all": [{"all": []}] * 3000}) == {"": "A segment may have at most 500 conditions."}


def test_sixty_different_sources_are_joined_and_more_are_refused():
    buyer = make_member()
    record_purchases(purchases=[new_purchase(buyer, purchased_at=AT - timedelta(days=3))])
    windows = [{**BOUGHT, "within": {"days": n}} for n in range(1, 62)]
    assert asking.count({"any": windows[:60]}, at=AT) == 1
    [sentence] = problems({"any": windows}).values()
    assert sentence.startswith("These conditions look at too many different things at once (more than 60)")


@pytest.mark.parametrize(
    ("definition", "path", "sentence"),
    [
        (None, "", "Here must be a condition or a group of conditions."),
        ([BERLIN], "", "Here must be a condition or a group of conditions."),
        ({}, "", "Here must be a condition or a group of conditions."),
        ({"all": BERLIN}, "", "Here must be a condition or a group of conditions."),
        ({"all": [], "any": []}, "", "Here must be a condition or a group of conditions."),
        ({"all": [BERLIN, 7]}, "/all/1", "Here must be a condition or a group of conditions."),
        ({"any": []}, "", "This group of alternatives is empty: it would match nobody."),
        ({"not": {"any": [{"trait": "zodiac"}]}}, "/not/any/0/trait", "There is no trait “zodiac” (any more)."),
        ({"trait": ["city"], "op": "any_of"}, "/trait", "There is no trait “['city']” (any more)."),
        ({"trait": "attribute.gone", "op": "known"}, "/trait", "There is no trait “attribute.gone” (any more)."),
        ({**BERLIN, "op": "regex"}, "/op", "Please choose how to compare city."),
        ({**BERLIN, "op": {}}, "/op", "Please choose how to compare city."),
        ({**BERLIN, "sql": "1=1"}, "", "“sql” is not known here."),
        ({**BERLIN, "within": {"days": 3}}, "/within", "city has no time."),
        ({**BERLIN, "where": {"store": ["x"]}}, "/where/store", "city has no filter “store”."),
        ({**BOUGHT, "where": ["store"]}, "/where", "Here must be a filter."),
        ({**BOUGHT, "where": {"store": [7]}}, "/where/store", "Please enter a text."),
        ({**BOUGHT, "within": {"days": -1}}, "/within", "This number is out of range."),
        ({**BOUGHT, "within": {"hours": 1}}, "/within", "Please say in which time."),
        ({**BOUGHT, "within": {"from": "2026-02-30"}}, "/within", "Please enter a date as YYYY-MM-DD."),
        (
            {**BOUGHT, "within": {"from": "2026-02-02", "to": "2026-02-01"}},
            "/within",
            "The first day must not be after the last.",
        ),
        ({"trait": "tag", "op": "any_of", "value": [123456]}, "/value", "“123456” is not there (any more)."),
        ({"trait": "segment", "op": "any_of", "value": []}, "/value", "Please give 1 to 500 values."),
        ({"trait": "birthday.ahead", "op": "yes"}, "/within", "Please say in how many days."),
    ],
)
def test_what_cannot_be_read_says_where_and_why(definition, path, sentence):
    assert problems(definition) == {path: sentence}


def test_every_problem_is_told_at_once():
    told = problems({"all": [{**BERLIN, "op": "x"}, {**BOUGHT, "value": "many"}, {"trait": "x"}]})
    assert list(told) == ["/all/0/op", "/all/1/value", "/all/2/trait"]


def test_what_was_deleted_or_archived_says_so():
    tag = Tag.objects.create(name="Regular")
    tagged = {"trait": "tag", "op": "any_of", "value": [tag.pk]}
    assert parse(tagged)
    pk = tag.pk
    tag.delete()
    assert problems(tagged) == {"/value": f"“{pk}” is not there (any more)."}
    Attribute.objects.create(key="milk", label="Milk", kind="text", archived_at=AT)
    leaf = {"trait": "attribute.milk", "op": "any_of", "value": ["oat"]}
    assert problems(leaf) == {"/trait": "The attribute “Milk” was archived."}


def test_choices_are_asked_for_once_however_many_leaves_have_them(django_assert_max_num_queries):
    tag = Tag.objects.create(name="Regular")
    one = {"trait": "tag", "op": "any_of", "value": [str(tag.pk)]}
    with django_assert_max_num_queries(3):  # the tags, the programme, the count
        asking.count({"any": [one] * 200}, at=AT)


def test_nothing_of_a_definition_reaches_the_database_as_text():
    make_member(city="x'; DROP TABLE members_tag; --")
    evil = ["x'; DROP TABLE members_tag; --", "%s", "%(a)s", "{0}", '"', "\\"]
    for text in evil:
        for op in ("any_of", "contains", "starts_with"):
            value = [text] if op == "any_of" else text
            assert asking.count({"trait": "city", "op": op, "value": value}, at=AT) == (text == evil[0])
        assert asking.count({**BOUGHT, "where": {"store": [text], "category": [text]}}, at=AT) == 0
    assert Tag.objects.count() == 0


def test_what_time_alone_changes_and_what_is_behaviour_is_known():
    assert not is_timed(parse(BERLIN))
    assert not is_timed(parse(BOUGHT))
    assert is_timed(parse({"all": [BERLIN, {**BOUGHT, "within": {"days": 9}}]}))
    assert not is_timed(parse({**BOUGHT, "within": {"from": "2026-01-01"}}))
    assert is_timed(parse({"trait": "joined", "op": "last_days", "value": 30}))
    assert not is_profiling(parse({"not": BERLIN}))
    assert is_profiling(parse({"not": {"any": [BERLIN, BOUGHT]}}))
    inner = Segment.objects.create(name="Inner", definition=BERLIN)
    leaf = {"trait": "segment", "op": "none_of", "value": [inner.pk]}
    assert segments_used(parse({"any": [BERLIN, leaf]})) == {inner.pk}


def test_who_wants_no_personalised_treatment_is_in_no_segment_of_behaviour():
    private, other = make_member(city="Berlin"), make_member(city="Berlin")
    Member.objects.filter(pk=private.pk).update(personalised=False)
    quiet = {"not": BOUGHT}
    assert sorted(asking.sample(BERLIN, at=AT)) == [private.pk, other.pk]
    assert asking.sample(quiet, at=AT) == [other.pk]
    told = asking.why(quiet, member_id=private.pk, at=AT)
    assert (told.value, told.datum) == (
        False,
        "wants no personalised treatment, and this segment asks for behaviour",
    )


def test_picks_by_hand_count_whatever_the_definition_says():
    segment = Segment.objects.create(name="Berlin", definition=BERLIN)
    kept_out, put_in, gone = make_member(city="Berlin"), make_member(city="Rome"), make_member(city="Rome")
    for member, include in ((kept_out, False), (put_in, True), (gone, True)):
        SegmentPick.objects.create(segment=segment, member=member, include=include, at=AT)
    Member.objects.filter(pk=gone.pk).update(erased_at=AT, email="")

    def told(member: Member) -> tuple[bool, str]:
        why = asking.why(BERLIN, member_id=member.pk, at=AT, segment_id=segment.pk)
        return why.value, why.datum

    assert told(kept_out) == (False, "kept out by hand")
    assert told(put_in) == (True, "put in by hand")
    assert told(gone) == (False, "has been merged into another member, or erased")
    for some in (None, [kept_out.pk, put_in.pk, gone.pk]):
        assert asking._rows(*selecting(BERLIN, at=AT, segment_id=segment.pk, member_ids=some)) == [(put_in.pk,)]


def test_why_tells_the_datum_of_each_leaf():
    anna = make_member(city="Berlin")
    record_purchases(purchases=[new_purchase(anna, purchased_at=AT - timedelta(days=9), amount_minor=1250)])
    recompute()
    definition = {
        "all": [
            {**BOUGHT, "value": 3},
            {"trait": "purchase.last", "op": "last_days", "value": 30},
            {"any": [{"not": BERLIN}, {"trait": "purchase.spent", "op": "at_least", "value": "12.50"}]},
            {"trait": "consent.offers_email", "op": "never"},
        ]
    }
    told = asking.why(definition, member_id=anna.pk, at=AT)
    tree = told.children[0]
    assert (told.sentence, told.value, tree.group) == ("Is not in this segment", False, "all")
    assert [(leaf.sentence, leaf.value, leaf.datum) for leaf in (tree.children[0], tree.children[1])] == [
        ("who bought at least 3 times", False, "bought 1 time; last on May 3, 2026"),
        ("whose last purchase was in the last 30 days", True, "last bought on May 3, 2026"),
    ]
    either = tree.children[2]
    assert (either.sentence, either.value) == ("Any of these", True)
    assert (either.children[0].group, either.children[0].value) == ("not", False)
    assert either.children[0].children[0].datum == "“Berlin”"
    assert either.children[1].datum == "spent €12.50; last on May 3, 2026"
    assert tree.children[3].datum == "never asked"
    for trait, words_of_it in (("spent", "spent €12.50; last on May 3, 2026"), ("average", "€12.50 on average")):
        leaf = {"trait": f"purchase.{trait}", "op": "at_least", "value": 12.5, "within": {"days": 30}}
        assert asking.why(leaf, member_id=anna.pk, at=AT).children[0].datum == words_of_it
    with pytest.raises(LookupError):
        asking.why(definition, member_id=0, at=AT)


def test_an_estimate_of_many_comes_from_a_sample_and_says_so():
    execute(
        "INSERT INTO members_member (name, email, phone, language, time_zone, city, birthday_calendar,"
        " birthday_leap_month, leap_day_rule) SELECT '', '', '', 'en', 'UTC',"
        " CASE WHEN n %% 4 = 0 THEN 'Berlin' ELSE 'Rome' END, 'solar', false, 'feb28'"
        " FROM generate_series(1, 30000) AS n"
    )
    assert asking.estimate(BERLIN, at=AT) == asking.Estimate(7500, exact=True)  # no statistics yet
    execute("ANALYZE members_member")
    about = asking.estimate(BERLIN, at=AT)
    assert not about.exact
    assert 7000 < about.members < 8000
    some = asking.sample(BERLIN, at=AT, limit=10)
    assert len(set(some)) == 10
    assert set(Member.objects.filter(pk__in=some).values_list("city", flat=True)) == {"Berlin"}
    assert asking.sample({"trait": "city", "op": "any_of", "value": ["Oslo"]}, at=AT) == []


def test_a_definition_reads_as_a_sentence_in_both_languages():
    definition = {
        "all": [
            {"trait": "purchase.spent", "op": "at_least", "value": 100, "within": {"days": 90}},
            {"any": [BERLIN, {"trait": "birthday.ahead", "op": "yes", "within": {"days": 7}}]},
            {"trait": "consent.offers_email", "op": "yes"},
            {"not": {"trait": "draw", "op": "between", "value": [0, 10], "where": {"draw": ["hold-out"]}}},
        ]
    }
    assert words.summary(definition) == (
        "Members who spent at least €100.00 in the last 90 days, (whose city is “Berlin” or who have a birthday in the"
        " next 7 days) and who agreed to offers by e-mail, but not those who are drawn by lot in the draw “hold-out”"
        " (0 to 10 percent)."
    )
    assert words.summary({"all": []}) == "All members."
    assert words.summary({"not": BERLIN}) == "All members, but not those whose city is “Berlin”."
    with translation.override("zh-hans"):
        said = words.summary(json.loads(json.dumps(definition)))
    assert not any(
        letter.isascii() and letter.isalpha() for letter in said.replace("Berlin", "").replace("hold-out", "")
    )
