"""Writing the catalogue: what people edit while others redeem."""

from datetime import datetime

from django.db import transaction

from rewards.models import Reward, RewardSession
from rewards.services.places import keep_places


class StockGone(Exception):
    """So many pieces cannot be taken off the shelf: `left` are there."""

    def __init__(self, left: int) -> None:
        super().__init__(left)
        self.left = left


class PlacesTaken(Exception):
    """A date cannot have fewer places than are `booked`."""

    def __init__(self, booked: int) -> None:
        super().__init__(booked)
        self.booked = booked


@transaction.atomic
def set_stock(*, reward_id: int, before: int | None, after: int | None) -> int | None:
    """Changes the stock as somebody meant who saw `before` and wrote `after`: what was redeemed in between stays
    redeemed. The stock now; None is endless. StockGone where fewer are left than that takes away."""
    reward = Reward.objects.select_for_update(no_key=True).get(pk=reward_id)
    if before is None or after is None or reward.stock is None:
        stock = after
    else:
        stock = reward.stock + after - before
        if stock < 0:
            raise StockGone(reward.stock)
    Reward.objects.filter(pk=reward_id).update(stock=stock)
    return stock


def set_capacity(*, session_id: int, capacity: int, at: datetime) -> None:
    """Gives a date so many places; who waits is offered the new ones. PlacesTaken."""
    with transaction.atomic():
        session = RewardSession.objects.select_for_update(no_key=True).get(pk=session_id)
        if session.booked > capacity:
            raise PlacesTaken(session.booked)
        RewardSession.objects.filter(pk=session_id).update(capacity=capacity)
    keep_places(at=at)
