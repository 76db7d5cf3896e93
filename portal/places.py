"""The members' pages that a message may lead to, by the names that marketers write."""

from django.utils.translation import gettext_lazy as _

from campaigns.content.places import register


def register_all() -> None:
    """Called once, when the app is ready."""
    register("home", _("First page"), "portal:home")
    register("card", _("Member card"), "portal:card")
    register("rewards", _("Rewards"), "portal:rewards")
    register("coupons", _("Coupons"), "portal:coupons")
    register("tier", _("Tier and benefits"), "portal:tier")
    register("history", _("Movements of points"), "portal:history")
    register("expiring", _("Points that expire"), "portal:expiring")
    register("profile", _("Profile"), "portal:profile")
    register("consents", _("Choices about messages"), "portal:consents")
    register("messages", _("Messages"), "portal:messages")
