"""What we say: campaigns, who sends them, and one row for each message to a member."""

from campaigns.models.campaign import Campaign
from campaigns.models.greeting import BirthdayGreeting
from campaigns.models.message import DAYS_BETWEEN, GreetingYear, Message
from campaigns.models.sending import Bucket, DeliveryEvent, Sender, Suppression

__all__ = [
    "DAYS_BETWEEN",
    "BirthdayGreeting",
    "Bucket",
    "Campaign",
    "DeliveryEvent",
    "GreetingYear",
    "Message",
    "Sender",
    "Suppression",
]
