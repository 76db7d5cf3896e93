from referrals.models.advocate import Advocate, Former, Invite, Trace, Traffic, Unwilling
from referrals.models.programme import Block, Programme, ProgrammeVersion
from referrals.models.referral import MilestoneReached, Referral, ReferralStep, ThanksGiven

__all__ = [
    "Advocate",
    "Block",
    "Former",
    "Invite",
    "MilestoneReached",
    "Programme",
    "ProgrammeVersion",
    "Referral",
    "ReferralStep",
    "ThanksGiven",
    "Trace",
    "Traffic",
    "Unwilling",
]
