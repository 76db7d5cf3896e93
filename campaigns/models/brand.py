"""How the shop looks to members, in mails and in the portal. One row."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

ACCENT, BACKGROUND, TEXT = "#7c2f62", "#faf7f2", "#211a1e"


class Brand(models.Model):
    """Logo, three colours, a radius and the words at the foot. Colours are "#rrggbb"; docs/templates.md."""

    id = models.BigIntegerField(primary_key=True, default=1, editable=False)  # no sequence: there is one row
    logo = models.CharField(_("logo"), max_length=60, blank=True, editable=False)  # the name of a file
    logo_width = models.PositiveSmallIntegerField(default=0, editable=False)
    logo_height = models.PositiveSmallIntegerField(default=0, editable=False)
    accent = models.CharField(_("accent"), max_length=7, default=ACCENT, help_text=_("Buttons, links, large figures."))
    background = models.CharField(_("background"), max_length=7, default=BACKGROUND, help_text=_("Behind the page."))
    text = models.CharField(_("text"), max_length=7, default=TEXT)
    radius = models.PositiveSmallIntegerField(
        _("radius"), default=16, help_text=_("How round corners are, from 0 to 28 pixels.")
    )
    footer = models.CharField(
        _("words at the foot"), max_length=300, blank=True, help_text=_("Above the postal address of the programme.")
    )
    social = models.JSONField(_("other pages"), default=list, blank=True, editable=False)  # [{"label": …, "url": …}]
    changed_at = models.DateTimeField(_("changed"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("brand")
        verbose_name_plural = _("brand")
        constraints = [
            models.CheckConstraint(name="campaigns_brand_single", condition=Q(pk=1)),
            models.CheckConstraint(
                name="campaigns_brand_colours",
                condition=Q(accent__regex="^#[0-9a-f]{6}$")
                & Q(background__regex="^#[0-9a-f]{6}$")
                & Q(text__regex="^#[0-9a-f]{6}$"),
            ),
            models.CheckConstraint(name="campaigns_brand_radius", condition=Q(radius__lte=28)),
        ]

    def __str__(self) -> str:
        return str(self._meta.verbose_name)
