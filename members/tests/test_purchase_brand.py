"""The brand of what was bought: kept, and no reason to refuse what was told before there were brands."""

import json
from decimal import Decimal

import pytest

from common.sql import fetch_all
from members.models import Purchase, PurchaseLine
from members.services.purchases import KeyReused, NewLine, record_purchases
from members.tests.factories import make_member, new_purchase

pytestmark = pytest.mark.django_db


def test_a_brand_is_kept_and_another_brand_is_another_purchase():
    beans = NewLine(amount_minor=1000, sku="b1", category="Coffee", brand="Höhe")
    buyer = make_member()
    told = new_purchase(buyer, lines=(beans,))
    [first] = record_purchases(purchases=[told])
    assert PurchaseLine.objects.get(purchase_id=first.id).brand == "Höhe"
    [again] = record_purchases(purchases=[told])
    assert (again.id, again.is_new) == (first.id, False)
    other = NewLine(amount_minor=1000, sku="b1", category="Coffee", brand="Tief")
    with pytest.raises(KeyReused):
        record_purchases(purchases=[new_purchase(buyer, key=told.key, lines=(other,))])


def test_without_a_brand_the_fingerprint_is_what_it_was_before_there_were_any():
    told = new_purchase(make_member(), lines=(NewLine(amount_minor=990, sku="a", name="n", quantity=Decimal("1.5")),))
    [recorded] = record_purchases(purchases=[told])
    line = {"amount_minor": 990, "sku": "a", "name": "n", "category": "", "quantity": "1.5"}
    then = """
    md5(concat_ws('|', %s::bigint, 'EUR', 1000::bigint, extract(epoch FROM %s::timestamptz), '', 'store', %s::jsonb))
    """
    params = [told.member_id, told.purchased_at, json.dumps([line])]
    assert Purchase.objects.get(pk=recorded.id).fingerprint == fetch_all(f"SELECT {then}::uuid", params)[0][0]
