"""What we say: campaigns, who sends them, and one row for each message to a member."""

from campaigns.models.brand import Brand
from campaigns.models.broadcast import Broadcast, BroadcastVariant, CampaignSettings
from campaigns.models.campaign import Campaign
from campaigns.models.greeting import BirthdayGreeting
from campaigns.models.journey import Journey, JourneyCall, JourneyLog, JourneyRun, JourneyVersion
from campaigns.models.message import DAYS_BETWEEN, GreetingYear, Message
from campaigns.models.occasion import Occasion, OccasionCountry, OccasionDate
from campaigns.models.preference import ContactPace, OptInRule, PendingConsent, Topic, TopicChoice
from campaigns.models.pressure import Cap
from campaigns.models.sending import Bucket, DeliveryEvent, Sender, Suppression
from campaigns.models.survey_mail import SurveyMail
from campaigns.models.template import MailPicture, Snippet, Template, TemplateVersion
from campaigns.models.tracking import Link, TrackEvent

__all__ = [
    "DAYS_BETWEEN",
    "BirthdayGreeting",
    "Brand",
    "Broadcast",
    "BroadcastVariant",
    "Bucket",
    "Campaign",
    "CampaignSettings",
    "Cap",
    "ContactPace",
    "DeliveryEvent",
    "GreetingYear",
    "Journey",
    "JourneyCall",
    "JourneyLog",
    "JourneyRun",
    "JourneyVersion",
    "Link",
    "MailPicture",
    "Message",
    "Occasion",
    "OccasionCountry",
    "OccasionDate",
    "OptInRule",
    "PendingConsent",
    "Sender",
    "Snippet",
    "Suppression",
    "SurveyMail",
    "Template",
    "TemplateVersion",
    "Topic",
    "TopicChoice",
    "TrackEvent",
]
