"""The till of the demo café: points pay, and two members have a PIN."""

from datetime import datetime

from loyalty_crm.demo import data
from members.models import Member, User
from members.services.pins import set_pin
from rewards.services.settings import save_reward_settings

PIN = "2580"
POINTS_FOR_ONE = 100  # points that pay 1.00


def open_till(at: datetime, manager: User) -> None:
    save_reward_settings(values={"points_per_unit": POINTS_FOR_ONE}, at=at, actor_id=manager.pk)
    for member in Member.objects.filter(email__in=data.MEMBERS):
        set_pin(member_id=member.pk, pin=PIN, at=at)
