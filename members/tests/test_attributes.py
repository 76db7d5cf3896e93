"""Custom attributes: what they take, what stays fixed, and how a profile holds them."""

from datetime import date
from decimal import Decimal

import pytest
from django.core.exceptions import ValidationError
from django.utils.translation import override

from members.attributes import choices, clean_attribute, in_words
from members.events import describe
from members.models import Attribute, Member, TimelineEvent
from members.queries import attributes
from members.services.attributes import archive_attribute, define_attribute, restore_attribute
from members.services.profile import create_member, update_profile
from members.tests.factories import make_member

MILK = [{"key": "oat", "en": "Oat milk", "zh-hans": "燕麦奶"}, {"key": "whole", "en": "Whole milk"}]


def of_kind(kind: str) -> Attribute:
    return Attribute(key="x", kind=kind, options=MILK if kind == "choice" else [])


@pytest.mark.parametrize(
    ("kind", "raw", "stored"),
    [
        ("text", "  hello ", "hello"),
        ("text", " ", None),
        ("text", 5, "5"),
        ("number", "12", 12),
        ("number", "1.50", 1.5),
        ("number", Decimal("-3"), -3),
        ("number", "1e3", 1000),
        ("date", "2026-02-28", "2026-02-28"),
        ("date", date(2026, 2, 28), "2026-02-28"),
        ("boolean", False, False),
        ("boolean", "YES", True),
        ("boolean", "否", False),
        ("choice", "oat", "oat"),
        ("choice", "whole MILK", "whole"),
        ("choice", "燕麦奶", "oat"),
        ("choice", None, None),
    ],
)
def test_values_are_stored_by_their_kind(kind, raw, stored):
    value = clean_attribute(of_kind(kind), raw)
    assert (value, type(value)) == (stored, type(stored))


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        ("text", "x" * 501),
        ("text", "a\0b"),
        ("number", "many"),
        ("number", "NaN"),
        ("number", "1e99"),
        ("number", True),
        ("date", "2026-02-30"),
        ("date", "12.05.2026"),
        ("boolean", "maybe"),
        ("choice", "soy"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(kind, raw):
    with pytest.raises(ValidationError) as refused:
        clean_attribute(of_kind(kind), raw)
    assert str(refused.value.messages[0])


def test_values_read_in_the_language_of_the_reader():
    with override("zh-hans"):
        assert in_words(of_kind("choice"), "oat") == "燕麦奶"
        assert in_words(of_kind("date"), "2026-05-12") == "2026年5月12日"
        assert choices(of_kind("choice")) == [("oat", "燕麦奶"), ("whole", "Whole milk")]
    assert in_words(of_kind("number"), 12345.5) == "12,345.5"
    assert in_words(of_kind("boolean"), False) == "No"
    assert in_words(of_kind("choice"), "gone") == "gone"  # an option that is no longer offered


def milk(**more) -> Attribute:
    return define_attribute(**{"key": "milk", "label_en": "Milk", "kind": "choice", "options": MILK, **more})


def test_key_kind_and_chosen_options_are_fixed_once_members_have_values(db, at):
    attribute = milk()
    milk(attribute_id=attribute.pk, key="milch", kind="text")  # nobody has a value yet
    attribute = milk(attribute_id=attribute.pk)
    create_member(at=at, profile={"attributes": {"milk": "oat"}}, source="test")
    for change, field in (({"key": "m"}, "key"), ({"kind": "text"}, "kind"), ({"options": MILK[1:]}, "options")):
        with pytest.raises(ValidationError) as refused:
            milk(attribute_id=attribute.pk, **change)
        assert list(refused.value.message_dict) == [field]
    changed = milk(attribute_id=attribute.pk, label_en="Which milk?", options=MILK[:1])
    assert (changed.label, [option["key"] for option in changed.options]) == ("Which milk?", ["oat"])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"key": "Milk"}, "key"),
        ({"key": "milk"}, "key"),
        ({"key": "m", "options": []}, "options"),
        ({"key": "m", "options": [{"en": "A"}, {"en": "a"}]}, "options"),
        ({"key": "m", "options": [{"en": ""}]}, "options"),
        ({"key": "m", "kind": "colour"}, "kind"),
        ({"key": "m", "label_en": ""}, "label_en"),
    ],
)
def test_a_definition_that_cannot_be_is_refused_by_field(db, change, field):
    milk()
    with pytest.raises(ValidationError) as refused:
        milk(**change)
    assert list(refused.value.message_dict) == [field]
    assert Attribute.objects.count() == 1


def test_an_archived_attribute_keeps_what_members_said(db, at):
    attribute, member = milk(), make_member(attributes={"milk": "oat"})
    archive_attribute(attribute_id=attribute.pk, at=at)
    assert attributes() == []
    member.refresh_from_db()
    assert member.attributes == {"milk": "oat"}
    restore_attribute(attribute_id=attribute.pk)
    assert attributes() == [attribute]


def test_a_profile_changes_only_the_attributes_it_is_given(db, at):
    milk()
    define_attribute(key="size", label_en="Size", label_zh_hans="尺码", kind="text")
    member = make_member(attributes={"milk": "oat", "size": "M"})
    update_profile(member_id=member.pk, changes={"attributes": {"size": None, "milk": "oat"}, "country": "de"}, at=at)
    member = Member.objects.get(pk=member.pk)
    assert (member.attributes, member.country) == ({"milk": "oat"}, "DE")
    event = TimelineEvent.objects.get(kind="member.profile_changed")
    assert event.data == {"fields": ["country", "attributes.size"]}
    assert describe(event) == "Profile changed: country, Size"
    with override("zh-hans"):
        assert describe(event).endswith("尺码")
    with pytest.raises(ValueError, match="no such attribute: shoe"):
        update_profile(member_id=member.pk, changes={"attributes": {"shoe": 1}}, at=at)
    with pytest.raises(ValidationError) as refused:
        update_profile(member_id=member.pk, changes={"country": "ZZ"}, at=at)
    assert list(refused.value.message_dict) == ["country"]
