"""How much a member gets at most."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.enums import Medium


class Cap(models.Model):
    """At most so many messages in so many days, to each member, by one channel or by all together."""

    channel = models.CharField(
        _("channel"), max_length=10, choices=Medium, blank=True, help_text=_("Empty: all channels together.")
    )
    number = models.PositiveSmallIntegerField(
        _("messages at most"), validators=[MinValueValidator(1), MaxValueValidator(1000)]
    )
    days = models.PositiveSmallIntegerField(
        _("in days"), validators=[MinValueValidator(1), MaxValueValidator(365)], help_text=_("Counted back from now.")
    )
    active = models.BooleanField(_("in force"), default=True)

    class Meta:
        verbose_name = _("limit of messages")
        verbose_name_plural = _("limits of messages")
        constraints = [
            models.UniqueConstraint("channel", "days", name="campaigns_cap_once"),
            models.CheckConstraint(name="campaigns_cap_numbers", condition=Q(number__gt=0, days__gt=0, days__lte=365)),
        ]

    def __str__(self) -> str:
        return f"{self.number} / {self.days}"
