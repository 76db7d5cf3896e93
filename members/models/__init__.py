from members.models.claim import CardClaim
from members.models.consent import Consent, ConsentWording
from members.models.member import Identity, Member
from members.models.programme import Programme
from members.models.purchase import Purchase, PurchaseLine, Refund
from members.models.purchase_import import ImportProblem, PurchaseImport
from members.models.timeline import PendingReaction, TimelineEvent
from members.models.user import User

__all__ = [
    "CardClaim",
    "Consent",
    "ConsentWording",
    "Identity",
    "ImportProblem",
    "Member",
    "PendingReaction",
    "Programme",
    "Purchase",
    "PurchaseImport",
    "PurchaseLine",
    "Refund",
    "TimelineEvent",
    "User",
]
