from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Language(models.TextChoices):
    ENGLISH = "en", _("English")
    CHINESE = "zh-hans", _("Simplified Chinese")


class Calendar(models.TextChoices):
    SOLAR = "solar", _("Solar (Gregorian)")
    LUNAR = "lunar", _("Chinese lunar")


class LeapDayRule(models.TextChoices):
    """When a birthday on 29 February is kept in a common year."""

    FEBRUARY_28 = "feb28", _("28 February")
    MARCH_1 = "mar1", _("1 March")


class Channel(models.TextChoices):
    EMAIL = "email", _("E-mail")
    SMS = "sms", _("Text message")
    WEBHOOK = "webhook", _("WeChat or another app")


BY_ADDRESS = (Channel.EMAIL, Channel.SMS)  # where a code or a question can be sent that proves whose address it is


class Purpose(models.TextChoices):
    """What a member is written to for. Each is agreed to or refused on its own."""

    GREETINGS = "greetings", _("Birthday and holiday greetings")
    OFFERS = "offers", _("Offers and news")
    PROFILING = "profiling", _("Personalised treatment")
    SHARING = "sharing", _("Passing data on to others")


MARKETING = (Purpose.GREETINGS, Purpose.OFFERS)  # by channel; the other purposes have none


class SalesChannel(models.TextChoices):
    STORE = "store", _("In store")
    ONLINE = "online", _("Online")
    PHONE = "phone", _("By phone")


class ImportState(models.TextChoices):
    DRAFT = "draft", _("Being set up")
    QUEUED = "queued", _("Waiting")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


class ImportField(models.TextChoices):
    """What a column of a file of purchases can hold."""

    CUSTOMER = "customer", _("customer number")
    CARD = "card", _("card number")
    EMAIL = "email", _("e-mail")
    PHONE = "phone", _("phone")
    NAME = "name", _("customer's name")
    PURCHASED_AT = "purchased_at", _("date")
    AMOUNT = "amount", _("amount")
    CURRENCY = "currency", _("currency")
    KEY = "key", _("receipt number")
    STORE = "store", _("store")
    CHANNEL = "channel", _("channel")
    PRODUCT = "product", _("product")
    CATEGORY = "category", _("category")
    BRAND = "brand", _("brand")
    QUANTITY = "quantity", _("quantity")


class DateOrder(models.TextChoices):
    YMD = "ymd", _("year, month, day")
    DMY = "dmy", _("day, month, year")
    MDY = "mdy", _("month, day, year")


class DecimalMark(models.TextChoices):
    POINT = ".", _("point: 1,234.50")
    COMMA = ",", _("comma: 1.234,50")


# Identities of these systems are ours: further addresses, phones and cards of a member (members.models.Identity).
OWN_EMAIL, OWN_PHONE, OWN_CARD = "email", "phone", "card"
OWN_SYSTEMS = (OWN_EMAIL, OWN_PHONE, OWN_CARD)
# What our own pages do stands under these sources: no other system may speak for them.
OWN_SOURCES = ("crm", "portal", "till-page", "admin", "desk")


class AttributeKind(models.TextChoices):
    """What a custom attribute holds; in Member.attributes a string, number, string YYYY-MM-DD, boolean, or option."""

    TEXT = "text", _("Text")
    NUMBER = "number", _("Number")
    DATE = "date", _("Date")
    BOOLEAN = "boolean", _("Yes or no")
    CHOICE = "choice", _("Choice")


class AttributeSection(models.TextChoices):
    PROFILE = "profile", _("Profile")
    PREFERENCES = "preferences", _("Preferences")


class DuplicateState(models.TextChoices):
    OPEN = "open", _("To be looked at")
    DISMISSED = "dismissed", _("Two people")
    MERGED = "merged", _("Merged")


class AccessAction(models.TextChoices):
    """What staff did with personal data."""

    VIEWED = "viewed", _("Looked at")
    SEARCHED = "searched", _("Searched")
    EXPORTED = "exported", _("Exported")
    DOWNLOADED = "downloaded", _("Downloaded")
    ERASED = "erased", _("Erased")


class JobState(models.TextChoices):
    """Of long work that runs behind."""

    QUEUED = "queued", _("Waiting")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


class CustomerField(models.TextChoices):
    """What a column of a file of customers can hold, besides attributes ("attribute.KEY") and consents
    ("consent.CHANNEL.PURPOSE")."""

    CARD = "card", _("card number")
    CUSTOMER = "customer", _("customer number")
    EMAIL = "email", _("e-mail")
    PHONE = "phone", _("phone")
    NAME = "name", pgettext_lazy("person", "name")
    FIRST_NAME = "first_name", _("first name")
    LAST_NAME = "last_name", _("last name")
    LANGUAGE = "language", _("language")
    TIME_ZONE = "time_zone", _("time zone")
    STREET = "street", _("street and number")
    POSTAL_CODE = "postal_code", _("postal code")
    CITY = "city", _("city")
    COUNTRY = "country", _("country")
    BIRTHDAY = "birthday", _("birthday")
    BIRTHDAY_YEAR = "birthday_year", _("birth year")
    BIRTHDAY_MONTH = "birthday_month", _("birthday month")
    BIRTHDAY_DAY = "birthday_day", _("birthday day")
    BIRTHDAY_CALENDAR = "birthday_calendar", _("birthday calendar")
    BIRTHDAY_LEAP_MONTH = "birthday_leap_month", _("leap month")
    JOINED_AT = "joined_at", _("joined")
    TAGS = "tags", _("tags")
    CONSENT_AT = "consent_at", _("date of the consent")
    CONSENT_SOURCE = "consent_source", _("source of the consent")
    CONSENT_EVIDENCE = "consent_evidence", _("evidence of the consent")


class CustomerKey(models.TextChoices):
    """By what a row of a file of customers finds its member."""

    EMAIL = "email", _("e-mail")
    PHONE = "phone", _("phone")
    CUSTOMER = "customer", _("customer number")
    CARD = "card", _("card number")


class ImportMode(models.TextChoices):
    BOTH = "both", _("Add new members and change those there are")
    CREATE = "create", _("Only add new members")
    UPDATE = "update", _("Only change members there are")


class ExportFormat(models.TextChoices):
    CSV = "csv", _("CSV")
    XLSX = "xlsx", _("Excel (XLSX)")
