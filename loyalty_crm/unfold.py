"""Look and navigation of the staff admin (django-unfold)."""

from functools import cache
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from till.rules import PERMISSIONS

# The navigation: group → (title, icon, "app.Model" with the page of its admin behind a colon, if not the list).
NAVIGATION: tuple[tuple[Any, tuple[tuple[Any, str, str], ...]], ...] = (
    (
        _("Figures"),
        (
            (_("Customers"), "monitoring", "analytics.MemberScore:customers"),
            (_("Points and rewards"), "account_balance", "analytics.MemberScore:rewards"),
            (_("RFM map"), "grid_view", "analytics.MemberScore"),
            (_("Data quality"), "rule", "analytics.MemberScore:quality"),
        ),
    ),
    (
        _("Relationship"),
        (
            (_("Members"), "group", "members.Member"),
            (_("Segments"), "donut_small", "members.Segment"),
            (_("Personas"), "face", "members.Persona"),
            (_("Member lists"), "playlist_add_check", "members.MemberList"),
            (_("Tasks"), "task_alt", "members.Task"),
            (_("Likely duplicates"), "join_inner", "members.Duplicate"),
            (_("Merges"), "merge", "members.MemberMerge"),
            (_("Purchases"), "shopping_bag", "members.Purchase"),
            (_("Templates"), "drafts", "campaigns.Template"),
            (_("Snippets"), "dashboard_customize", "campaigns.Snippet"),
            (_("Birthday greeting"), "cake", "campaigns.BirthdayGreeting"),
            (_("Broadcasts"), "campaign", "campaigns.Broadcast"),
            (_("Journeys"), "route", "campaigns.Journey"),
            (_("What campaigns brought"), "query_stats", "campaigns.Campaign"),
            (_("Messages"), "mail", "campaigns.Message"),
            (_("Senders"), "outbound", "campaigns.Sender"),
            (_("Suppression list"), "block", "campaigns.Suppression"),
            (_("Words from providers"), "webhook", "campaigns.DeliveryEvent"),
            (_("Opened and clicked"), "ads_click", "campaigns.TrackEvent"),
            (_("Occasions"), "calendar_month", "campaigns.Occasion"),
            (_("Topics"), "interests", "campaigns.Topic"),
            (_("Limits of messages"), "speed", "campaigns.Cap"),
            (_("Consent wordings"), "verified_user", "members.ConsentWording"),
            (_("Confirmation of consents"), "mark_email_read", "campaigns.OptInRule"),
        ),
    ),
    (
        _("Surveys and feedback"),
        (
            (_("Surveys"), "reviews", "surveys.Survey"),
            (_("Themes"), "sell", "surveys.Theme"),
            (_("Board of cases"), "view_kanban", "surveys.Case:board"),
            (_("Cases"), "support_agent", "surveys.Case"),
            (_("Figures of care"), "monitor_heart", "surveys.Case:figures"),
            (_("Suggestions"), "lightbulb", "surveys.Suggestion"),
            (_("Improvements"), "build_circle", "surveys.ImprovementAction"),
            (_("Canned replies"), "quickreply", "surveys.CannedReply"),
            (_("Categories of cases"), "category", "surveys.Category"),
            (_("Causes"), "troubleshoot", "surveys.RootCause"),
            (_("Rules for cases"), "rule_settings", "surveys.CaseRule"),
            (_("Times to answer"), "timer", "surveys.CareTarget"),
            (_("Business hours"), "schedule", "surveys.OpeningHours"),
            (_("Holidays"), "event_busy", "surveys.Holiday"),
            (_("Limits of remedies"), "shield", "surveys.RemedyLimit"),
            (_("Settings of cases"), "settings", "surveys.CareSettings"),
        ),
    ),
    (
        _("Referral"),
        (
            (_("Programmes"), "group_add", "referrals.Programme"),
            (_("Who brought whom"), "diversity_3", "referrals.Referral"),
            (_("What it is worth"), "query_stats", "referrals.Programme:figures"),
            (_("Blocking list"), "block", "referrals.Block"),
        ),
    ),
    (
        _("Reward"),
        (
            (_("Rewards"), "redeem", "rewards.Reward"),
            (_("Redemptions"), "featured_seasonal_and_gifts", "rewards.Redemption"),
            (_("Dates of experiences"), "event", "rewards.RewardSession"),
            (_("Movements of points"), "swap_vert", "rewards.Transfer"),
            (_("Batches of points"), "hourglass_bottom", "rewards.Lot"),
            (_("Earning rules"), "calculate", "rewards.EarningRule"),
            (_("Check-in points"), "qr_code_2", "rewards.CheckInPoint"),
            (_("Events of other systems"), "bolt", "members.CustomEvent"),
            (_("Try a basket"), "experiment", "rewards.EarningRule:try"),
            (_("Replays"), "replay", "rewards.Replay"),
            (_("Gifts by hand"), "volunteer_activism", "rewards.GrantRequest"),
            (_("Tiers"), "military_tech", "rewards.Tier"),
            (_("Offers"), "local_offer", "rewards.Offer"),
            (_("Coupons"), "confirmation_number", "rewards.Coupon"),
            (_("Changes of tiers"), "moving", "rewards.TierChange"),
            (_("Benefits"), "workspace_premium", "rewards.Benefit"),
            (_("Uses of benefits"), "checklist", "rewards.BenefitUse"),
            (_("Membership plans"), "card_membership", "rewards.MembershipPlan"),
            (_("Memberships bought"), "badge", "rewards.PlanMembership"),
        ),
    ),
    (
        _("Programme"),
        (
            (_("Settings"), "storefront", "members.Programme"),
            (_("Brand"), "palette", "campaigns.Brand"),
            (_("How points behave"), "tune", "rewards.RewardSettings"),
            (_("Attributes"), "list_alt", "members.Attribute"),
            (_("Tags"), "sell", "members.Tag"),
            (_("Import customers"), "group_add", "members.CustomerImport"),
            (_("Import purchases"), "upload_file", "members.PurchaseImport"),
            (_("Exports"), "download", "members.ExportJob"),
        ),
    ),
    (
        _("Privacy"),
        (
            (_("Requests to be erased"), "person_remove", "members.ErasureRequest"),
            (_("Copies of own data"), "folder_shared", "members.DataExport"),
            (_("Who looked at whom"), "visibility", "members.AccessLog"),
            (_("How long things are kept"), "auto_delete", "members.RetentionRule"),
        ),
    ),
    (
        _("System"),
        (
            (_("Background work"), "pending_actions", "members.PendingReaction"),
            (_("Users"), "manage_accounts", "members.User"),
            (_("Roles"), "badge", "auth.Group"),
            (_("API keys"), "key", "api.ApiKey"),
            (_("API calls"), "swap_horiz", "api.Answer"),
        ),
    ),
)


def programme_name(request: HttpRequest) -> str:
    """The programme's name, asked once a request."""
    from members.queries import get_programme

    if not hasattr(request, "_programme_name"):
        request._programme_name = get_programme().name  # type: ignore[attr-defined]
    return request._programme_name  # type: ignore[attr-defined]


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups with what this person may see; asked twice a page, made once."""
    if not hasattr(request, "_navigation"):
        request._navigation = _navigation(request)  # type: ignore[attr-defined]
    return request._navigation  # type: ignore[attr-defined]


def _navigation(request: HttpRequest) -> list[dict[str, Any]]:
    first: list[dict[str, Any]] = [{"title": _("Today"), "icon": "newspaper", "link": reverse("admin:index")}]
    if request.user.has_perms(PERMISSIONS):
        first.append({"title": _("Till"), "icon": "point_of_sale", "link": reverse("till:start")})
    groups: list[dict[str, Any]] = [{"items": first}]
    for title, entries in NAVIGATION:
        items = [item for item in (_item(request, *entry) for entry in entries) if item]
        if items:
            groups.append({"title": title, "separator": True, "items": items})
    return groups


def _item(request: HttpRequest, title: Any, icon: str, label: str) -> dict[str, Any] | None:
    from django.apps import apps
    from django.contrib import admin

    label, _colon, view = label.partition(":")
    try:
        model = apps.get_model(label)
    except LookupError:
        return None
    page = admin.site._registry.get(model)
    if page is None or not page.has_view_or_change_permission(request):
        return None
    link = _link(f"admin:{model._meta.label_lower.replace('.', '_')}_{view or 'changelist'}")
    item: dict[str, Any] = {"title": title, "icon": icon, "link": link}
    if model._meta.label == "rewards.GrantRequest" and (n := _to_decide(request)):
        item["badge"] = str(n)
    if view == "board" and model._meta.label == "surveys.Case" and (n := _new_cases(request)):
        item["badge"] = str(n)
    if model._meta.label in _WITH_PAGES:  # else the list would seem open on the pages below it
        item["active"] = lambda request: request.path == link
    return item


def _new_cases(request: HttpRequest) -> int:
    """How many cases landed with this person and are not begun."""
    from surveys.queries_desk import new_on_desk_of

    return new_on_desk_of(request.user.pk) if request.user.pk else 0


@cache
def _link(name: str) -> str:
    """Eighty of them a page, always the same."""
    return reverse(name)


def _to_decide(request: HttpRequest) -> int:
    """How many gifts wait for this person's decision."""
    from rewards.queries_grants import to_decide

    return to_decide(request.user.pk) if request.user.has_perm("rewards.change_grantrequest") else 0


_WITH_PAGES = {label.partition(":")[0] for _group, entries in NAVIGATION for *_entry, label in entries if ":" in label}


def account_links(request: HttpRequest) -> list[dict[str, Any]]:
    links = ((_("Password"), "account_change_password"), (_("Second factor"), "mfa_index"))
    return [{"title": title, "link": reverse(name)} for title, name in links]


_STEPS = ("50", "100", "200", "300", "400", "500", "600", "700", "800", "900", "950")


def _palette(hue: int, *steps: tuple[float, float]) -> dict[str, str]:
    """Lightness in percent and chroma for each step, at one hue."""
    return {
        name: f"oklch({lightness}% {chroma} {hue})" for name, (lightness, chroma) in zip(_STEPS, steps, strict=True)
    }


# The portal's plum on warm greys. White text on 600 and 600 on white both reach 7:1.
_PLUM = _palette(
    345, (97.8, 0.01), (95.2, 0.02), (90, 0.045), (82, 0.09), (76, 0.115), (68, 0.135), (44, 0.12), (38, 0.105),
    (33, 0.09), (27, 0.07), (20, 0.05),
)  # fmt: skip
_WARM = _palette(
    58, (98.6, 0.002), (96.8, 0.003), (92.4, 0.004), (86.9, 0.006), (70.9, 0.01), (53.5, 0.012), (44.4, 0.011),
    (37.4, 0.01), (26.8, 0.008), (21.2, 0.006), (14.7, 0.004),
)  # fmt: skip

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": programme_name,
    "SITE_HEADER": programme_name,
    "SITE_SYMBOL": "loyalty",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("portal/icon.svg")}],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": True,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "8px",
    "COLORS": {"primary": _PLUM, "base": _WARM},
    "LANGUAGES": {"action": lambda request: reverse("portal:language")},
    "STYLES": [lambda request: static("desk/desk.css")],
    "DASHBOARD_CALLBACK": "loyalty_crm.dashboard.dashboard",
    "ACCOUNT": {"navigation": account_links},
    "SIDEBAR": {"navigation": navigation},
}
