"""Who may open what: every page of the admin, for each of five characters. A page without an entry here fails."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.template.backends.django import Template
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils.safestring import SafeString

from common.sql import fetch_all
from loyalty_crm.roles import MANAGER, MARKETER, ROLES, TILL
from loyalty_crm.site import DeskSite
from members import panels
from members.models import User

NOBODY: set[str] = set()
TILL_UP, MARKETER_UP, ONLY_MANAGER = {TILL, MARKETER, MANAGER}, {MARKETER, MANAGER}, {MANAGER}


def pages(model: str, view: set[str], *, add: set[str] = NOBODY, **more: set[str]) -> dict[str, set[str]]:
    """The pages that the admin gives every model: deleting is for nobody."""
    known = {"changelist": view, "history": view, "change": view, "add": add, "delete": NOBODY, **more}
    return {f"{model}_{page}": who for page, who in known.items()}


ACCESS: dict[str, set[str]] = {
    **dict.fromkeys(("index", "search", "jsi18n", "password_change", "password_change_done"), TILL_UP),
    **dict.fromkeys(("autocomplete", "view_on_site"), NOBODY),
    **pages(
        "members_member",
        TILL_UP,
        add=MARKETER_UP,
        export=MARKETER_UP,
        edit_profile=MARKETER_UP,
        adjust_points=MARKETER_UP,
        set_tier=ONLY_MANAGER,
        state_consent=MARKETER_UP,
        hand_over_data=MARKETER_UP,
        erase=ONLY_MANAGER,
        tag=MARKETER_UP,
        timeline=MARKETER_UP,
        act=MARKETER_UP,
    ),
    **pages("members_segment", MARKETER_UP, add=MARKETER_UP),
    **dict.fromkeys(
        (f"members_segment_{page}" for page in ("preview", "count", "suggest", "edit", "why", "picks", "archive")),
        MARKETER_UP,
    ),
    **pages("members_persona", MARKETER_UP, add=MARKETER_UP, delete=MARKETER_UP),
    **pages("members_memberlist", MARKETER_UP, add=MARKETER_UP, remove=MARKETER_UP),
    **pages("members_attribute", MARKETER_UP, add=MARKETER_UP, archive=MARKETER_UP, restore=MARKETER_UP),
    **pages("members_tag", MARKETER_UP, add=MARKETER_UP),
    **pages("members_task", MARKETER_UP, finish=MARKETER_UP, reopen=MARKETER_UP),
    **pages("members_purchase", MARKETER_UP, export=MARKETER_UP, refund=ONLY_MANAGER),
    **pages("members_duplicate", MARKETER_UP),
    **pages("members_membermerge", MARKETER_UP, add=MARKETER_UP, undo=MARKETER_UP),
    **pages("members_consentwording", MARKETER_UP, add=MARKETER_UP),
    **pages("members_programme", MARKETER_UP),  # there is one already: nobody adds another
    **pages("members_purchaseimport", MARKETER_UP, add=MARKETER_UP, progress=MARKETER_UP, bad_rows=MARKETER_UP),
    **pages("members_accesslog", ONLY_MANAGER),
    **pages("members_erasurerequest", ONLY_MANAGER),
    **pages("members_retentionrule", ONLY_MANAGER),
    **pages("members_dataexport", MARKETER_UP, download=MARKETER_UP),
    **pages(
        "members_customerimport",
        MARKETER_UP,
        add=MARKETER_UP,
        progress=MARKETER_UP,
        preview=MARKETER_UP,
        bad_rows=MARKETER_UP,
        kept=MARKETER_UP,
    ),
    **pages("members_exportjob", MARKETER_UP, progress=MARKETER_UP, download=MARKETER_UP),
    **pages("members_pendingreaction", MARKETER_UP),
    **pages("members_user", ONLY_MANAGER, add=ONLY_MANAGER),
    "members_user_reset_second_factor": ONLY_MANAGER,
    "auth_user_password_change": ONLY_MANAGER,
    **pages("auth_group", ONLY_MANAGER),
    **pages("api_apikey", ONLY_MANAGER, add=ONLY_MANAGER, revoke=ONLY_MANAGER),
    **pages("api_answer", ONLY_MANAGER),
    **pages(
        "analytics_memberscore",
        MARKETER_UP,
        customers=MARKETER_UP,
        quality=MARKETER_UP,
        rewards=MARKETER_UP,
        rewards_file=MARKETER_UP,
    ),
    # The lot of the world is spendable and never pending, and its transfer no expiry.
    **pages("rewards_transfer", MARKETER_UP, export=MARKETER_UP, reinstate=NOBODY),
    **pages(
        "rewards_offer",
        MARKETER_UP,
        add=MARKETER_UP,
        **dict.fromkeys(("preview", "estimate", "edit", "live", "pause", "end"), MARKETER_UP),
        **dict.fromkeys(("issue", "issue_segment", "codes", "upload"), MARKETER_UP),
    ),
    **pages(
        "rewards_coupon",
        MARKETER_UP,
        export=MARKETER_UP,
        withdraw=MARKETER_UP,
        void=MARKETER_UP,
        sell=MARKETER_UP,
        activate=MARKETER_UP,
    ),
    **pages("rewards_couponuse", MARKETER_UP, export=MARKETER_UP),
    **pages("rewards_couponjob", MARKETER_UP, progress=MARKETER_UP),
    **pages("rewards_rewardsettings", MARKETER_UP),
    # Who asked withdraws, and what nobody is giving cannot be stopped.
    **pages(
        "rewards_grantrequest",
        MARKETER_UP,
        add=MARKETER_UP,
        export=MARKETER_UP,
        approve=ONLY_MANAGER,
        refuse=ONLY_MANAGER,
        withdraw=NOBODY,
        stop=NOBODY,
    ),
    **pages("rewards_reward", MARKETER_UP, add=MARKETER_UP, preview=MARKETER_UP),
    **pages(
        "rewards_redemption",
        MARKETER_UP,
        export=MARKETER_UP,
        todo=MARKETER_UP,
        code=MARKETER_UP,
        **dict.fromkeys(("confirm", "cancel", "send", "collect", "refund"), MARKETER_UP),
    ),
    **pages("rewards_rewardsession", MARKETER_UP, call_off=MARKETER_UP),
    **pages("rewards_lot", MARKETER_UP, export=MARKETER_UP, activate=NOBODY, cancel=NOBODY, extend=ONLY_MANAGER),
    **pages("rewards_earningrule", MARKETER_UP, add=MARKETER_UP),
    **{f"rewards_earningrule_{page}": MARKETER_UP for page in ("preview", "estimate", "suggest", "try", "programme")},
    **{
        f"rewards_earningrule_{page}": MARKETER_UP
        for page in ("edit", "duplicate", "publish", "pause", "resume", "end", "discard", "archive", "restore", "why")
    },
    **pages("rewards_checkinpoint", MARKETER_UP, add=MARKETER_UP, sheet=MARKETER_UP, open_sheet=MARKETER_UP),
    **pages("members_customevent", MARKETER_UP, export=MARKETER_UP),
    **pages("rewards_replay", MARKETER_UP, add=MARKETER_UP, table=MARKETER_UP),
    **pages("rewards_tier", MARKETER_UP, add=MARKETER_UP, qualifying=MARKETER_UP, remove=MARKETER_UP),
    **pages("rewards_tierchange", MARKETER_UP, export=MARKETER_UP),
    **pages("rewards_reassessment", MARKETER_UP, progress=MARKETER_UP),
    **pages("rewards_benefit", MARKETER_UP, add=MARKETER_UP),
    **pages("rewards_benefituse", MARKETER_UP, export=MARKETER_UP),
    **pages("rewards_membershipplan", MARKETER_UP, add=MARKETER_UP),
    **pages("rewards_planmembership", MARKETER_UP, export=MARKETER_UP, sell=MARKETER_UP, cancel=ONLY_MANAGER),
    **pages("campaigns_birthdaygreeting", MARKETER_UP),
    **dict.fromkeys(
        (
            f"campaigns_birthdaygreeting_{page}"
            for page in ("panel", "outlook", "upcoming", "mail", "who_is_due", "send_test_mail")
        ),
        MARKETER_UP,
    ),
    **pages("campaigns_occasion", MARKETER_UP, add=MARKETER_UP),
    **pages("campaigns_topic", MARKETER_UP, add=MARKETER_UP),
    **pages("campaigns_cap", MARKETER_UP, add=ONLY_MANAGER),
    **pages("campaigns_optinrule", MARKETER_UP, add=ONLY_MANAGER),
    **dict.fromkeys((f"campaigns_occasion_{page}" for page in ("month", "countries", "date", "put_back")), MARKETER_UP),
    **pages(
        "campaigns_broadcast",
        MARKETER_UP,
        add=MARKETER_UP,
        approve=ONLY_MANAGER,
        refuse=ONLY_MANAGER,
        **dict.fromkeys(("count", "audience", "content", "when", "check", "estimate", "live"), MARKETER_UP),
        **dict.fromkeys(("ask", "take_back", "pause", "resume", "cancel", "follow", "test"), MARKETER_UP),
    ),
    **pages("campaigns_campaignsettings", MARKETER_UP),
    **pages("campaigns_journey", MARKETER_UP, add=MARKETER_UP),
    **dict.fromkeys(
        (
            f"campaigns_journey_{page}"
            for page in ("preview", "ready", "try", "why", "publish", "pause", "resume", "mend")
        ),
        MARKETER_UP,
    ),
    **pages("campaigns_journeyrun", MARKETER_UP),
    **pages("campaigns_template", MARKETER_UP, add=MARKETER_UP),
    **dict.fromkeys(
        (
            f"campaigns_template_{page}"
            for page in (
                *("preview", "members", "upload", "ready", "versions", "version"),
                *("archive", "restore", "copy", "test"),
            )
        ),
        MARKETER_UP,
    ),
    **pages("campaigns_snippet", MARKETER_UP, add=MARKETER_UP, archive=MARKETER_UP),
    **pages("campaigns_brand", MARKETER_UP, panel=MARKETER_UP),
    **pages("campaigns_sender", MARKETER_UP, add=ONLY_MANAGER),
    **dict.fromkeys((f"campaigns_sender_{page}" for page in ("pause", "resume", "test", "halt")), ONLY_MANAGER),
    **pages(
        "campaigns_suppression",
        MARKETER_UP,
        addresses=ONLY_MANAGER,
        lift=ONLY_MANAGER,
        add_addresses=ONLY_MANAGER,
        export=MARKETER_UP,
    ),
    **pages("campaigns_deliveryevent", MARKETER_UP),
    **pages("campaigns_trackevent", MARKETER_UP),
    **pages("campaigns_campaign", MARKETER_UP),
    **dict.fromkeys(
        (f"campaigns_campaign_{page}" for page in ("trace", "csv", "measures", "resend", "as_csv")), MARKETER_UP
    ),
    **dict.fromkeys(
        (
            f"surveys_survey_{page}"
            for page in (
                "reach",
                "invitations",
                "posters",
                "report",
                "report_file",
                "share",
                "trigger",
                "trigger_pause",
                "trigger_resume",
                "trigger_delete",
            )
        ),
        MARKETER_UP,
    ),
    **dict.fromkeys(("surveys_survey_answers", "surveys_survey_answer", "surveys_survey_answers_file"), MARKETER_UP),
    **dict.fromkeys(("surveys_survey_verbatims", "surveys_survey_verbatims_file"), MARKETER_UP),
    **dict.fromkeys((f"surveys_survey_trigger{act}" for act in ("", "_pause", "_resume", "_delete")), MARKETER_UP),
    **pages("surveys_case", MARKETER_UP, add=MARKETER_UP, export=MARKETER_UP),
    **dict.fromkeys(("surveys_case_board", "surveys_case_act", "surveys_case_file"), MARKETER_UP),
    **dict.fromkeys(("surveys_case_figures", "surveys_case_figures_file"), MARKETER_UP),
    **dict.fromkeys(("surveys_case_answers", "surveys_case_answers_file"), MARKETER_UP),
    **pages("surveys_improvementaction", MARKETER_UP, add=MARKETER_UP, move=MARKETER_UP, effect=MARKETER_UP),
    **pages("surveys_suggestion", MARKETER_UP),
    **dict(
        page
        for model in ("category", "rootcause", "cannedreply", "caserule")
        for page in pages(f"surveys_{model}", MARKETER_UP, add=MARKETER_UP).items()
    ),
    **dict(
        page
        for model in ("caretarget", "remedylimit")
        for page in pages(f"surveys_{model}", MARKETER_UP, add=ONLY_MANAGER).items()
    ),
    **pages("surveys_theme", MARKETER_UP, add=MARKETER_UP, delete=MARKETER_UP, ready=MARKETER_UP),
    "surveys_theme_try": MARKETER_UP,
    **pages("surveys_caresettings", MARKETER_UP),  # there are some already: nobody adds others
    **pages("surveys_openinghours", MARKETER_UP, add=ONLY_MANAGER, delete=ONLY_MANAGER),
    **pages("surveys_holiday", MARKETER_UP, add=ONLY_MANAGER, delete=ONLY_MANAGER),
    **pages("referrals_programme", MARKETER_UP, add=MARKETER_UP, figures=MARKETER_UP),
    **dict.fromkeys((f"referrals_programme_{page}" for page in ("publish", "live", "pause", "end")), MARKETER_UP),
    **pages("referrals_referral", MARKETER_UP, approve=MARKETER_UP, refuse=MARKETER_UP, tree=MARKETER_UP),
    **pages("referrals_block", MARKETER_UP, add=MARKETER_UP, delete=MARKETER_UP),
    **pages("surveys_survey", MARKETER_UP, add=MARKETER_UP, ready=MARKETER_UP, check=MARKETER_UP),
    **dict.fromkeys(
        (
            f"surveys_survey_{page}"
            for page in (
                "preview",
                "upload",
                "settings",
                "quotas",
                "versions",
                "publish",
                "open",
                "pause",
                "close",
                "archive",
                "copy",
            )
        ),
        MARKETER_UP,
    ),
    **pages("campaigns_message", MARKETER_UP, send_again=MARKETER_UP, mark_sent=MARKETER_UP),
    **dict.fromkeys((f"campaigns_message_{page}" for page in ("send_this_again", "mark_this_sent")), MARKETER_UP),
    # All mail kept on disk: sign-in codes are among it.
    **dict.fromkeys((f"campaigns_message_{page}" for page in ("open_outbox", "outbox", "outbox_file")), ONLY_MANAGER),
}
OPEN_TO_ALL = {"login", "logout"}  # signing in, and out again


def named(patterns) -> list[URLPattern]:
    found = []
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            found += [pattern] if pattern.name else []
        else:
            found += named(pattern.url_patterns)
    return found


PATTERNS = [p for p in named(admin.site.get_urls()) if p.name not in {"app_list", *OPEN_TO_ALL}]


def address(pattern: URLPattern, world: dict[str, int]) -> str:
    special = {
        "members_member_act": [world["members_member"], "tags", "add"],
        "view_on_site": [1, 1],
        "rewards_planmembership_sell": [world["members_member"]],
        "rewards_coupon_sell": [world["giftcard_in_stock"]],
        "rewards_coupon_activate": [world["giftcard_in_stock"]],
        "rewards_earningrule_why": ["purchase", world["members_purchase"]],
        "campaigns_birthdaygreeting_mail": [world["members_member"], "2026-05-12"],
        "campaigns_message_outbox_file": ["hello.eml"],
        "campaigns_journey_ready": ["welcome"],
        "campaigns_template_ready": ["welcome"],
        "surveys_survey_ready": ["nps"],
        "referrals_programme_live": [world["referrals_draft"]],
        "referrals_referral_tree": [world["members_member"]],
        **{
            f"surveys_survey_trigger{act}": [world["surveys_survey"], world["trigger_of_survey"]]
            for act in ("", "_pause", "_resume", "_delete")
        },
        "surveys_case_file": [world["surveys_case"], "picture", world["message_of_case"]],
        "surveys_survey_answer": [world["surveys_survey"], world["response_to_survey"]],
        "surveys_survey_answers_file": [world["surveys_survey"], "json"],
        "surveys_survey_report_file": [world["surveys_survey"], "json"],
        "surveys_survey_verbatims_file": [world["surveys_survey"], "json"],
        "campaigns_template_version": [world["campaigns_template"], 1],
        "campaigns_occasion_date": [world["campaigns_occasiondate"]],
        "campaigns_occasion_put_back": [world["campaigns_occasiondate"]],
        "analytics_memberscore_rewards_file": ["rules", "csv"],
    }
    arguments = pattern.pattern.converters or pattern.pattern.regex.groupindex
    if not arguments:
        return reverse(f"admin:{pattern.name}")
    if pattern.name in special:
        return reverse(f"admin:{pattern.name}", args=special[pattern.name])
    pk = next(pk for model, pk in world.items() if pattern.name.startswith(f"{model}_"))
    return reverse(f"admin:{pattern.name}", args=[pk])


def test_every_page_has_an_entry():
    assert {pattern.name for pattern in PATTERNS} == set(ACCESS)


WRITTEN = "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_xact_user_tables"
# Who looked, their being signed in, and figures kept for a while.
LOGS = {"members_accesslog", "django_session", "analytics_snapshot"}


def written() -> set[tuple[str, int]]:
    """How many rows this transaction has written, by table."""
    return {(table, rows) for table, rows in fetch_all(WRITTEN) if table not in LOGS}


@pytest.fixture
def undrawn(monkeypatch):
    """Views run to their answer, and no template is drawn: two thirds of the time, where only the answer is asked."""
    monkeypatch.setattr(Template, "render", lambda self, context=None, request=None: SafeString(""))
    monkeypatch.setattr(DeskSite, "each_context", lambda self, request: {})


def test_the_manager_opens_every_page_that_anybody_opens():
    """So that it is enough to draw each page once, for the manager."""
    assert set().union(*ACCESS.values()) == {TILL, MARKETER, MANAGER}
    assert all(MANAGER in who for who in ACCESS.values() if who)


@pytest.mark.parametrize("role", [TILL, MARKETER, MANAGER])
def test_a_role_opens_its_pages_and_no_other_and_looking_writes_nothing(role, world, desk, request):
    if role != MANAGER:
        request.getfixturevalue("undrawn")
    client, wrong, before = desk(role), {}, written()
    for pattern in PATTERNS:
        answer = client.get(address(pattern, world), follow=True)
        opened = answer.status_code < 400 and not answer.request["PATH_INFO"].startswith("/accounts/")
        if opened != (role in ACCESS[pattern.name]):
            wrong[pattern.name] = answer.status_code
        after = written()
        if changed := after - before:
            wrong[pattern.name] = changed
        before = after
    assert wrong == {}


@pytest.mark.parametrize("role", [TILL, MARKETER])
def test_what_a_role_may_not_open_it_cannot_do_either(role, world, desk, undrawn):
    client, wrong = desk(role), {}
    acts = [
        reverse("admin:members_member_act", args=[world["members_member"], panel.key, act])
        for panel in panels.panels()
        for act in panel.acts
    ]
    closed = [address(pattern, world) for pattern in PATTERNS if role not in ACCESS[pattern.name]]
    before = written()
    for url in closed + (acts if role == TILL else []):
        answer = client.post(url, {"confirmed": "1", "export": "1", "columns": "name", "format": "csv"})
        after = written()
        if answer.status_code < 300 or after - before:
            wrong[url] = answer.status_code, after - before
        before = after
    assert wrong == {}


def test_a_stranger_and_a_member_open_nothing(world, undrawn):
    stranger, member = Client(), Client()
    member.force_login(
        User.objects.create_user("member@example.com"), backend="django.contrib.auth.backends.ModelBackend"
    )
    assert stranger.get("/admin/login/", follow=True).redirect_chain[-1][0].startswith("/accounts/login/")
    for pattern in PATTERNS:
        url = address(pattern, world)
        sent_to = stranger.get(url)
        assert sent_to.status_code == 302, pattern.name
        assert sent_to.url.startswith(("/accounts/login/", "/admin/login/")), pattern.name
        assert member.get(url, follow=True).status_code == 403, pattern.name


def test_roles_hold_exactly_their_permissions_after_every_migration(db):
    from django.contrib.auth.models import Permission

    def held() -> dict[str, set[str]]:
        return {
            group.name: {f"{p.content_type.app_label}.{p.codename}" for p in group.permissions.all()}
            for group in Group.objects.prefetch_related("permissions__content_type")
        }

    before = held()
    assert set(before) == set(ROLES)
    for role, models in ROLES.items():  # none of them is misspelt
        wanted = {f"{m.replace('.', f'.{verb}_')}" for m, verbs in models.items() for verb in verbs.split()}
        assert before[role] == wanted
    assert before[TILL] == {"members.view_member", "members.add_purchase"}
    assert "rewards.add_transfer" in before[MARKETER]
    assert "members.add_user" not in before[MARKETER]
    Group.objects.get(name=TILL).permissions.set(Permission.objects.filter(codename="add_user"))
    call_command("migrate", verbosity=0)
    assert held() == before


def test_a_manager_cannot_become_more_than_a_manager(world, desk):
    client = desk(MANAGER)
    chief = User.objects.create_superuser("chief@example.com", "x")
    me = User.objects.get(email="manager@example.com")
    form = {"email": me.email, "is_active": "on", "is_staff": "on", "is_superuser": "on", "user_permissions": "1"}
    assert client.post(reverse("admin:members_user_change", args=[me.pk]), form).status_code == 302
    me.refresh_from_db()
    assert (me.is_superuser, me.user_permissions.count()) == (False, 0)
    own = reverse("admin:auth_user_password_change", args=[chief.pk])
    assert client.post(own, {"password1": "take-Over-77", "password2": "take-Over-77"}).status_code == 403
    group = reverse("admin:auth_group_change", args=[Group.objects.get(name=TILL).pk])
    assert client.post(group, {"name": "Till", "permissions": "1"}).status_code == 403
