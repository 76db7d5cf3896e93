from members.models.claim import CardClaim
from members.models.consent import Consent, ConsentState, ConsentWording
from members.models.custom_event import CustomEvent
from members.models.customer_import import CustomerImport, CustomerProblem, ImportedMember
from members.models.duplicate import Duplicate, MemberMerge
from members.models.export_job import ExportJob
from members.models.member import PRESENT, Identity, Member
from members.models.privacy import AccessLog, DataExport, ErasureRequest, Guardian, RetentionRule
from members.models.profile import Attribute, Household, MemberTag, Note, Tag, Task
from members.models.programme import Programme
from members.models.purchase import Purchase, PurchaseLine, PurchaseSummary, Refund, RefundLine
from members.models.purchase_import import ImportProblem, PurchaseImport
from members.models.segment import (
    MemberList,
    MemberListEntry,
    Persona,
    Segment,
    SegmentChange,
    SegmentMember,
    SegmentPick,
    SegmentSize,
    SegmentVersion,
)
from members.models.till import MemberPin, TillCode
from members.models.timeline import ChangedMember, PendingReaction, TimelineEvent
from members.models.user import User

__all__ = [
    "PRESENT",
    "AccessLog",
    "Attribute",
    "CardClaim",
    "ChangedMember",
    "Consent",
    "ConsentState",
    "ConsentWording",
    "CustomEvent",
    "CustomerImport",
    "CustomerProblem",
    "DataExport",
    "Duplicate",
    "ErasureRequest",
    "ExportJob",
    "Guardian",
    "Household",
    "Identity",
    "ImportProblem",
    "ImportedMember",
    "Member",
    "MemberList",
    "MemberListEntry",
    "MemberMerge",
    "MemberPin",
    "MemberTag",
    "Note",
    "PendingReaction",
    "Persona",
    "Programme",
    "Purchase",
    "PurchaseImport",
    "PurchaseLine",
    "PurchaseSummary",
    "Refund",
    "RefundLine",
    "RetentionRule",
    "Segment",
    "SegmentChange",
    "SegmentMember",
    "SegmentPick",
    "SegmentSize",
    "SegmentVersion",
    "Tag",
    "Task",
    "TillCode",
    "TimelineEvent",
    "User",
]
