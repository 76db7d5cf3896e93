"""What referrals write to the timelines of both."""

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from members.events import group, kind
from referrals.enums import Refusal

group("referral", _("Referrals"), "group_add")
# data: referral (its id), of the friend's and of the giver's timeline alike. No name of the other stands in it.
_ABOUT = ("referrals.referral", "referral")
REFERRAL_JOINED = kind("referral.joined", _("A friend they brought joined"), about=_ABOUT)
REFERRAL_CAME = kind("referral.came", _("Brought by a friend"), about=_ABOUT)
# data: reason (a Refusal).
REFERRAL_UNCOUNTED = kind(
    "referral.uncounted",
    _("A code said with a purchase does not count"),
    lambda data: (
        gettext("A code said with a purchase does not count: %(why)s") % {"why": Refusal(data["reason"]).label}
    ),
    changes=False,
)
REFERRAL_QUALIFIED = kind("referral.qualified", _("A friend they brought became a customer"), about=_ABOUT)
REFERRAL_REVIEWED = kind("referral.reviewed", _("A referral is looked at by the shop"), changes=False, about=_ABOUT)
REFERRAL_REWARDED = kind("referral.rewarded", _("Thanked for a referral"), about=_ABOUT)
REFERRAL_REFUSED = kind("referral.refused", _("A referral was refused"), about=_ABOUT)
REFERRAL_LAPSED = kind("referral.lapsed", _("A referral ran out"), changes=False, about=_ABOUT)
REFERRAL_REVERSED = kind("referral.reversed", _("Thanks for a referral taken back"), about=_ABOUT)
