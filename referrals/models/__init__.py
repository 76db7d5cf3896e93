from referrals.models.advocate import Advocate, Former, Guess, Invite, Trace, Traffic, Unwilling
from referrals.models.programme import Block, Programme, ProgrammeVersion
from referrals.models.referral import MilestoneReached, Referral, ReferralStep, Said, ThanksGiven

__all__ = [
    "Advocate",
    "Block",
    "Former",
    "Guess",
    "Invite",
    "MilestoneReached",
    "Programme",
    "ProgrammeVersion",
    "Referral",
    "ReferralStep",
    "Said",
    "ThanksGiven",
    "Trace",
    "Traffic",
    "Unwilling",
]
