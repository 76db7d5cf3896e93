from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from members.enums import Language
from members.validators import validate_currency, validate_time_zone


class Programme(models.Model):
    """The shop's loyalty programme: the one row of settings that everything else defaults to."""

    id = models.BigIntegerField(primary_key=True, default=1, editable=False)  # no sequence: there is one row
    name = models.CharField(_("name"), max_length=80, default="Loyalty Club")
    currency = models.CharField(_("currency"), max_length=3, default="EUR", validators=[validate_currency])
    time_zone = models.CharField(_("time zone"), max_length=63, default="UTC", validators=[validate_time_zone])
    language = models.CharField(_("language"), max_length=7, choices=Language, default=Language.ENGLISH)
    postal_address = models.TextField(_("postal address"), blank=True, help_text=_("Stands at the foot of every mail."))
    contact_email = models.EmailField(_("contact e-mail"), blank=True)

    minimum_age = models.PositiveSmallIntegerField(
        _("minimum age"),
        default=14,
        db_default=14,
        validators=[MaxValueValidator(21)],
        help_text=_("Nobody younger joins without a guardian's consent. 0: everybody may."),
    )
    guardian_may_consent = models.BooleanField(
        _("a guardian may agree for who is younger"),
        default=False,
        db_default=False,
        help_text=_("Staff then write down who it is and what proves it. No: who is younger cannot join."),
    )
    personalise_by_default = models.BooleanField(
        _("personalised treatment unless refused"),
        default=True,
        db_default=True,
        help_text=_("For members who were never asked. No: only who agreed is treated by what they did."),
    )

    class Meta:
        verbose_name = _("programme")
        verbose_name_plural = _("programme")
        constraints = [models.CheckConstraint(name="members_programme_single", condition=models.Q(pk=1))]

    def __str__(self) -> str:
        return self.name
