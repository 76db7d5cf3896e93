from rewards.models.ledger import Account, Hold, Lot, LotUse, Transfer
from rewards.models.programme import EarningRule, MemberTier, Tier

__all__ = ["Account", "EarningRule", "Hold", "Lot", "LotUse", "MemberTier", "Tier", "Transfer"]
