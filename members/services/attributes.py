"""Custom attributes: what marketers want to know of members, defined by them. docs/members.md."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.translation import gettext_lazy as _

from members.enums import AttributeKind, AttributeSection
from members.models import Attribute, Member
from members.queries import is_attribute_used, used_options

Option = dict[str, str]  # {"key": …, "en": …, "zh-hans": …}
MOST_OPTIONS, OPTION_LENGTH = 100, 80


@transaction.atomic
def define_attribute(
    *,
    attribute_id: int | None = None,
    key: str,
    label_en: str,
    label_zh_hans: str = "",
    kind: AttributeKind,
    options: Sequence[Option] = (),
    section: AttributeSection = AttributeSection.PROFILE,
    member_may_edit: bool = False,
    position: int | None = None,
) -> Attribute:
    """A new attribute, or a changed one. Key and kind change only while no member has a value; so do options go.

    ValidationError by field.
    """
    attribute = Attribute.objects.select_for_update().get(pk=attribute_id) if attribute_id else Attribute()
    if attribute_id and (attribute.key, attribute.kind) != (key, kind) and is_attribute_used(attribute.key):
        field = "key" if attribute.key != key else "kind"
        raise ValidationError({field: _("Members have values already, so this cannot change. Archive it instead.")})
    wanted = _clean_options(kind, options)
    gone = {option["key"] for option in attribute.options} - {option["key"] for option in wanted}
    if gone and (used := used_options(attribute.key) & gone):
        words = ", ".join(sorted(used))
        raise ValidationError({"options": _("Some members have chosen this: %(options)s") % {"options": words}})
    attribute.key, attribute.kind, attribute.options = key, kind, wanted
    for language, label in (("en", label_en), ("zh_hans", label_zh_hans)):
        setattr(attribute, f"label_{language}", label)
    attribute.section, attribute.member_may_edit = section, member_may_edit
    attribute.position = _last_position() + 1 if position is None else position
    attribute.clean_fields(exclude=["label"])  # the label of the active language, which is one of the two
    try:
        with transaction.atomic():
            attribute.save()
    except IntegrityError as error:
        if "key" in str(error):
            raise ValidationError({"key": _("Another attribute has this key, perhaps an archived one.")}) from error
        raise
    return attribute


def _last_position() -> int:
    return Attribute.objects.aggregate(last=Max("position"))["last"] or 0


def _clean_options(kind: str, options: Sequence[Option]) -> list[Option]:
    if kind != AttributeKind.CHOICE:
        return []
    cleaned: list[Option] = []
    for option in options:
        label = option.get("en", "").strip()
        one = {"key": option.get("key", "").strip() or _key_of(label), "en": label}
        if chinese := option.get("zh-hans", "").strip():
            one["zh-hans"] = chinese
        if not label or any(len(word) > OPTION_LENGTH for word in one.values()):
            raise ValidationError({"options": _("Every option needs a short English label.")})
        cleaned.append(one)
    if not 1 <= len(cleaned) <= MOST_OPTIONS:
        raise ValidationError({"options": _("Please give 1 to %(n)d options.") % {"n": MOST_OPTIONS}})
    for name in ("key", "en", "zh-hans"):
        words = [option[name].casefold() for option in cleaned if name in option]
        if len(set(words)) < len(words):
            raise ValidationError({"options": _("Two options are called the same.")})
    return cleaned


def _key_of(label: str) -> str:
    """A key made of a label: "Oat milk" → "oat_milk"."""
    return "_".join("".join(c if c.isalnum() else " " for c in label.casefold()).split())[:40]


@transaction.atomic
def archive_attribute(*, attribute_id: int, at: datetime) -> Attribute:
    """Takes an attribute out of forms and filters. What members said stays, and comes back with it."""
    return _set_archived(attribute_id, at)


@transaction.atomic
def restore_attribute(*, attribute_id: int) -> Attribute:
    """Brings an archived attribute back."""
    return _set_archived(attribute_id, None)


def _set_archived(attribute_id: int, at: datetime | None) -> Attribute:
    attribute = Attribute.objects.select_for_update().get(pk=attribute_id)
    if at is None or attribute.archived_at is None:
        attribute.archived_at = at
        attribute.save(update_fields=["archived_at"])
    return attribute


def changed_attributes(member: Member, values: dict[str, Any]) -> list[str]:
    """Puts cleaned values (None: nothing said) into `member.attributes`, unsaved; the keys that changed."""
    known = set(Attribute.objects.filter(key__in=values).values_list("key", flat=True))
    if unknown := values.keys() - known:
        raise ValueError(f"no such attribute: {', '.join(sorted(unknown))}")
    changed = sorted(key for key, value in values.items() if member.attributes.get(key) != value)
    kept = {key: value for key, value in member.attributes.items() if key not in changed}
    member.attributes = kept | {key: values[key] for key in changed if values[key] is not None}
    return changed
