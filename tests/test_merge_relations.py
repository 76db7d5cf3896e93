"""Whoever adds a foreign key to Member says what a merge does with it."""

from django.apps import apps

from members.merging import Strategy, relations
from members.models import Member


def foreign_keys() -> set[str]:
    return {
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.get_fields(include_hidden=True)
        if field.concrete and field.is_relation and field.related_model is Member
    }


def test_every_key_to_a_member_is_answered_for():
    assert foreign_keys() - {relation.label for relation in relations()} == set()
    assert {relation.label for relation in relations()} - foreign_keys() == set()  # none is of yesterday


def test_rows_that_move_have_an_id_to_come_back_by_and_no_clash_that_nobody_thought_of():
    for relation in relations():
        if relation.strategy is not Strategy.MOVE:
            continue
        meta = relation.model._meta
        assert meta.pk.column == "id", relation.label
        unique = [
            constraint.name
            for constraint in meta.total_unique_constraints
            if relation.label.rpartition(".")[2] in constraint.fields
        ]
        assert not unique or relation.once_per or relation.stays, (relation.label, unique)
        protected = [t for t in getattr(meta, "triggers", []) if t.name in ("append_only", "read_only")]
        assert bool(protected) == bool(relation.ignoring), relation.label
