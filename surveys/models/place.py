"""Where a survey hangs on a wall or stands on the counter."""

import secrets

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from surveys.enums import PlaceKind

LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"  # none that are mistaken for one another


def new_token() -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(12))


class SurveyPlace(models.Model):
    """A QR code to hang up, or a tablet: answers that come by it say where they were given. Taken back, its link takes
    no more."""

    survey = models.ForeignKey("surveys.Survey", models.PROTECT, related_name="places", verbose_name=_("survey"))
    kind = models.CharField(_("kind"), max_length=10, choices=PlaceKind)
    token = models.CharField(max_length=20, unique=True, default=new_token, editable=False)
    store = models.CharField(_("store"), max_length=80, blank=True)
    table = models.CharField(_("table or corner"), max_length=40, blank=True)
    idle_seconds = models.PositiveSmallIntegerField(
        _("begins anew after seconds"),
        default=60,
        validators=[MinValueValidator(15), MaxValueValidator(600)],
        help_text=_("Tablets: when nobody touched it for so long."),
    )
    created_at = models.DateTimeField(_("made"))
    revoked_at = models.DateTimeField(_("taken back"), null=True, blank=True)

    class Meta:
        verbose_name = _("place of a survey")
        verbose_name_plural = _("places of surveys")

    def __str__(self) -> str:
        return ", ".join(part for part in (self.store, self.table) if part) or self.token

    @property
    def told(self) -> dict[str, str]:
        """What an answer that comes by it says of where it was given."""
        return {name: value for name, value in (("store", self.store), ("table", self.table)) if value}
