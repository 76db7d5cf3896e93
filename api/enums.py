from django.db import models
from django.utils.translation import gettext_lazy as _


class Scope(models.TextChoices):
    """What a key may do. Each call asks for one of them."""

    MEMBERS_READ = "members:read", _("look up members")
    MEMBERS_WRITE = "members:write", _("add members")
    PURCHASES_WRITE = "purchases:write", _("record purchases")
    REFUNDS_WRITE = "refunds:write", _("give money back")
    REDEMPTIONS_WRITE = "redemptions:write", _("reserve, confirm and take back rewards")
    COUPONS_READ = "coupons:read", _("check coupons")
    COUPONS_WRITE = "coupons:write", _("use and release coupons")
    EVENTS_WRITE = "events:write", _("tell what members did")
    SURVEYS_WRITE = "surveys:write", _("read surveys and answer them")
    CASES_READ = "cases:read", _("look up cases")
    CASES_WRITE = "cases:write", _("open cases")


class Call(models.TextChoices):
    """The calls that change something, as their answers are kept by."""

    MEMBERS = "members", _("Add a member")
    PURCHASES = "purchases", _("Record a purchase")
    REFUNDS = "refunds", _("Give money back")
    REDEMPTIONS = "redemptions", _("Reserve a reward")
    COUPONS_REDEEM = "coupons.redeem", _("Use a coupon")
    COUPONS_RELEASE = "coupons.release", _("Release a coupon")
    EVENTS = "events", _("Tell what a member did")
    SURVEYS = "surveys", _("Answer a survey")
    CASES = "cases", _("Open a case")
