from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower, Now, Reverse, Upper
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from phonenumber_field.modelfields import PhoneNumberField

from members.enums import Calendar, Language, LeapDayRule
from members.validators import validate_card_number, validate_time_zone


class NextCardNumber(models.Func):
    """The next unused card number: 11 scattered digits and a Damm check digit (SQL function of the first migration)."""

    function = "members_next_card_number"
    output_field = models.CharField()
    arity = 0


PRESENT = Q(merged_into=None, erased_at=None)  # members who are not merged into another, nor erased


class Member(models.Model):
    """A customer in the programme. The card number is given by the database and never changes."""

    user = models.OneToOneField(
        "members.User", models.SET_NULL, null=True, blank=True, related_name="member", verbose_name=_("portal account")
    )
    card_number = models.CharField(
        _("card number"),
        max_length=12,
        unique=True,
        editable=False,
        db_default=NextCardNumber(),
        validators=[validate_card_number],
    )
    name = models.CharField(pgettext_lazy("person", "name"), max_length=120, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    phone = PhoneNumberField(_("phone"), blank=True, max_length=20)
    language = models.CharField(_("language"), max_length=7, choices=Language, default=Language.ENGLISH)
    time_zone = models.CharField(_("time zone"), max_length=63, default="UTC", validators=[validate_time_zone])
    street = models.CharField(_("street and number"), max_length=160, blank=True, db_default="")
    postal_code = models.CharField(_("postal code"), max_length=12, blank=True, db_default="")
    city = models.CharField(_("city"), max_length=80, blank=True)
    country = models.CharField(_("country"), max_length=2, blank=True, db_default="", help_text=_("ISO 3166, e.g. DE"))
    birthday_calendar = models.CharField(_("birthday calendar"), max_length=5, choices=Calendar, default=Calendar.SOLAR)
    birthday_month = models.PositiveSmallIntegerField(_("birthday month"), null=True, blank=True)
    birthday_day = models.PositiveSmallIntegerField(_("birthday day"), null=True, blank=True)
    birthday_year = models.PositiveSmallIntegerField(_("birth year"), null=True, blank=True)
    birthday_leap_month = models.BooleanField(_("leap month"), default=False)
    leap_day_rule = models.CharField(
        _("29 February in common years"), max_length=5, choices=LeapDayRule, default=LeapDayRule.FEBRUARY_28
    )
    attributes = models.JSONField(
        _("attributes"), default=dict, db_default={}, blank=True, help_text=_("By key; see Attribute for the types.")
    )
    household = models.ForeignKey(
        "members.Household", models.SET_NULL, null=True, blank=True, related_name="members", verbose_name=_("household")
    )
    personalised = models.BooleanField(
        _("personalised treatment"),
        default=True,
        db_default=True,
        help_text=_("No: nothing the member did decides what they are shown or sent."),
    )
    email_verified_at = models.DateTimeField(_("e-mail verified"), null=True, blank=True)
    phone_verified_at = models.DateTimeField(_("phone verified"), null=True, blank=True)
    source = models.CharField(_("came by"), max_length=40, blank=True, db_default="")
    joined_at = models.DateTimeField(_("joined"), db_default=Now())
    updated_at = models.DateTimeField(_("changed"), auto_now=True, db_default=Now())
    merged_into = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="merged_members", verbose_name=_("merged into")
    )
    erased_at = models.DateTimeField(_("erased"), null=True, blank=True)

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = [
            models.UniqueConstraint(Lower("email"), condition=~Q(email=""), name="members_member_email_unique"),
            models.UniqueConstraint("phone", condition=~Q(phone=""), name="members_member_phone_unique"),
            models.CheckConstraint(
                name="members_member_birthday_whole",
                # The null tests are not idle: a CHECK that comes out NULL passes.
                condition=Q(birthday_month=None, birthday_day=None, birthday_year=None, birthday_leap_month=False)
                | Q(
                    Q(birthday_leap_month=False) | Q(birthday_calendar="lunar", birthday_day__lte=30),
                    birthday_month__isnull=False,
                    birthday_day__isnull=False,
                    birthday_month__range=(1, 12),
                    birthday_day__range=(1, 31),
                ),
            ),
            # Who is gone can be neither reached nor greeted, nor can they sign in: no query has to remember it.
            models.CheckConstraint(
                name="members_member_gone",
                condition=Q(merged_into=None, erased_at=None)
                | Q(user=None, email="", phone="", birthday_month=None, household=None),
            ),
            models.CheckConstraint(name="members_member_merged_other", condition=~Q(merged_into=F("id"))),
        ]
        indexes = [
            # Who has a birthday on these days (members.queries.birthdays_on).
            models.Index(
                fields=["birthday_calendar", "birthday_month", "birthday_day"],
                condition=Q(birthday_month__isnull=False),
                name="members_member_birthday",
            ),
            # Search by a part of the name (members.queries.search).
            GinIndex(OpClass(Upper("name"), "gin_trgm_ops"), name="members_member_name_trgm"),
            # Search by the last digits of the card (the same).
            models.Index(OpClass(Reverse("card_number"), "text_pattern_ops"), name="members_member_card_end"),
            # Who has a value of a choice, or yes or no (admin list, segments).
            GinIndex(OpClass("attributes", "jsonb_path_ops"), name="members_member_attributes"),
            # Newest members first, and members joined in a period (admin list, dashboard).
            models.Index(fields=["-joined_at", "-id"], name="members_member_joined"),
        ]

    def __str__(self) -> str:
        return self.name or self.email or self.card_number_grouped

    @property
    def card_number_grouped(self) -> str:
        """The card number as it is printed: three groups of four."""
        n = self.card_number
        return f"{n[:4]} {n[4:8]} {n[8:]}"

    @property
    def birthday(self):
        """The birthday as a `members.rules.Birthday`, or None where the member has not said it."""
        from members.rules import Birthday

        if self.birthday_month is None or self.birthday_day is None:
            return None
        return Birthday(
            Calendar(self.birthday_calendar),
            self.birthday_month,
            self.birthday_day,
            self.birthday_leap_month,
            LeapDayRule(self.leap_day_rule),
        )


class Identity(models.Model):
    """What another system calls this member: a shop's customer number, for one.

    The systems of members.enums.OWN_SYSTEMS hold further e-mail addresses, phones and cards of the member, as
    members.services.identities writes them. The first of each stand in the member's own row.
    """

    member = models.ForeignKey(Member, models.PROTECT, related_name="identities", verbose_name=_("member"))
    system = models.CharField(_("system"), max_length=40)
    value = models.CharField(_("customer number there"), max_length=254)
    verified_at = models.DateTimeField(_("verified"), null=True, blank=True)
    created_at = models.DateTimeField(_("since"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("identity")
        verbose_name_plural = _("identities")
        constraints = [models.UniqueConstraint("system", "value", name="members_identity_unique")]

    def __str__(self) -> str:
        return f"{self.system}: {self.value}"
