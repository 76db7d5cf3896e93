from rewards.models.catalogue import (
    Redemption,
    Reward,
    RewardPicture,
    RewardPrice,
    RewardSession,
    WaitingEntry,
)
from rewards.models.coupons import Coupon, CouponJob, CouponUse, Offer
from rewards.models.earning import CheckInPoint, EarningRule, Evaluation, Replay, RuleVersion
from rewards.models.grants import GrantRequest
from rewards.models.ledger import Account, Hold, Lot, LotChange, LotUse, Transfer
from rewards.models.settings import RewardSettings, RewardSettingsChange
from rewards.models.tiers import (
    Benefit,
    BenefitUse,
    MembershipPlan,
    MemberTier,
    PlanMembership,
    Reassessment,
    Tier,
    TierChange,
    TierLift,
    TierNight,
)

__all__ = [
    "Account",
    "Benefit",
    "BenefitUse",
    "CheckInPoint",
    "Coupon",
    "CouponJob",
    "CouponUse",
    "EarningRule",
    "Evaluation",
    "GrantRequest",
    "Hold",
    "Lot",
    "LotChange",
    "LotUse",
    "MemberTier",
    "MembershipPlan",
    "Offer",
    "PlanMembership",
    "Reassessment",
    "Redemption",
    "Replay",
    "Reward",
    "RewardPicture",
    "RewardPrice",
    "RewardSession",
    "RewardSettings",
    "RewardSettingsChange",
    "RuleVersion",
    "Tier",
    "TierChange",
    "TierLift",
    "TierNight",
    "Transfer",
    "WaitingEntry",
]
