from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Group(models.TextChoices):
    """The named groups of the RFM map (analytics.rules.MAP)."""

    CHAMPIONS = "champions", _("Champions")
    LOYAL = "loyal", _("Loyal")
    POTENTIAL = "potential", _("Potentially loyal")
    NEW = "new", pgettext_lazy("RFM", "New")
    PROMISING = "promising", _("Promising")
    ATTENTION = "attention", _("Need attention")
    AT_RISK = "at_risk", _("At risk")
    CANNOT_LOSE = "cannot_lose", _("Cannot lose")
    HIBERNATING = "hibernating", _("Hibernating")
    LOST = "lost", pgettext_lazy("RFM", "Lost")


class Lifecycle(models.TextChoices):
    """Where a member stands as a customer; docs/dashboard.md has the days."""

    NEVER = "never", _("Never bought")
    NEW = "new", pgettext_lazy("customers", "New")
    ACTIVE = "active", pgettext_lazy("customers", "Active")
    LAPSING = "lapsing", _("Lapsing")
    LOST = "lost", pgettext_lazy("customers", "Lost")
