"""What is recommended to each: numbers by hand."""

from datetime import timedelta

import pytest

from campaigns import merge
from campaigns.content.compiled import Compiled
from campaigns.content.look import Look
from campaigns.content.reading import parse
from campaigns.models import Brand
from campaigns.services.templates import example
from campaigns.tests.factories import AT
from members.models import Programme
from members.services.purchases import NewLine, record_purchases
from members.tests.factories import make_member, new_purchase
from rewards.services.refunds import refund_purchase

pytestmark = pytest.mark.django_db


def bought(member, *names: str, days: int = 3, **values):
    lines = tuple(NewLine(sku=name.lower(), name=name, quantity=1, amount_minor=300) for name in names)
    told = new_purchase(
        member, purchased_at=AT - timedelta(days=days), amount_minor=300 * len(names), lines=lines, **values
    )
    return record_purchases(purchases=[told])[0].id


def recipient(member) -> merge.Recipient:
    return merge.Recipient(member, "en", AT, AT.date())


def test_each_is_offered_what_goes_with_their_purchases(django_assert_num_queries):
    anna, ben, carla, dora, emil, fay, gone = (
        make_member(name=name) for name in ("Anna", "Ben", "Carla", "Dora", "Emil", "Fay", "Gone")
    )
    bought(anna, "Coffee", "Croissant")
    bought(ben, "coffee"), bought(ben, "Croissant", days=9)
    bought(carla, "Coffee", "Cake")
    bought(dora, "Coffee")
    bought(fay, "Tea", "Cake")
    returned = bought(gone, "Croissant")
    refund_purchase(purchase_id=returned, amount_minor=300, at=AT, source="test", key="r")
    bought(gone, "Coffee", days=400)  # longer ago than a year

    with django_assert_num_queries(1):
        said = merge.values([recipient(one) for one in (dora, carla, emil, fay, gone)], {"products_own"})
    # Coffee with croissant: 2 / sqrt(5 x 2); with cake one member only, so that counts as what many bought alone.
    assert [one["products_own"]["all"] for one in said] == [
        ["Croissant", "Cake", "Tea"],
        ["Croissant", "Tea"],
        ["Coffee", "Cake", "Croissant", "Tea"],
        ["Coffee", "Croissant"],
        ["Coffee", "Cake", "Tea"],
    ]

    block = {"type": "products", "which": "own", "label": {"en": "For you", "zh-hans": "猜您喜欢"}}
    made = Compiled(
        parse({"subject": {"en": "Hi"}, "blocks": [block]}), "en", "marketing", Look(Brand(), Programme()), AT
    )
    assert "products_own" in made.spaces
    written = made.render({**example(), **said[0]})
    assert "- Croissant\n- Cake\n- Tea" in written.text
    assert ">Croissant</li>" in written.html
    nothing = made.render({**example(), "products_own": {"all": []}})
    assert "For you" not in nothing.text + nothing.html
