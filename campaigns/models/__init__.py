"""What we say: campaigns, who sends them, and one row for each message to a member."""

from campaigns.models.brand import Brand
from campaigns.models.campaign import Campaign
from campaigns.models.greeting import BirthdayGreeting
from campaigns.models.message import DAYS_BETWEEN, GreetingYear, Message
from campaigns.models.sending import Bucket, DeliveryEvent, Sender, Suppression
from campaigns.models.template import MailPicture, Snippet, Template, TemplateVersion

__all__ = [
    "DAYS_BETWEEN",
    "BirthdayGreeting",
    "Brand",
    "Bucket",
    "Campaign",
    "DeliveryEvent",
    "GreetingYear",
    "MailPicture",
    "Message",
    "Sender",
    "Snippet",
    "Suppression",
    "Template",
    "TemplateVersion",
]
