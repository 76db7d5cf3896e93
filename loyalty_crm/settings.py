"""Settings, read from the environment. Safe by default; docs/configuration.md lists every variable."""

import os
import secrets
from pathlib import Path
from urllib.parse import unquote

import environ
from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent
STATE_DIR = Path(env.str("CRM_STATE", default=str(BASE_DIR / ".local"))).resolve()

# --- Safety -----------------------------------------------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="only-for-debugging" if DEBUG else "")
# Former keys, the newest first: what they signed stays good.
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
SITE_URL = env.str("SITE_URL", default="http://localhost:8000").rstrip("/")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[SITE_URL])
HTTPS = SITE_URL.startswith("https://")
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=HTTPS)
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000 if HTTPS else 0)
# A shop's other hosts are not ours to lock to https: the operator says so.
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = env.bool("SECURE_HSTS_PRELOAD", default=False)
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=False) else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
REQUIRE_STAFF_MFA = env.bool("REQUIRE_STAFF_MFA", default=not DEBUG)
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- Applications -----------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "loyalty_crm.apps.ShellConfig",
    "portal.apps.PortalConfig",
    "api.apps.ApiConfig",
    "till.apps.TillConfig",
    "analytics.apps.AnalyticsConfig",
    "campaigns.apps.CampaignsConfig",
    "surveys.apps.SurveysConfig",
    "referrals.apps.ReferralsConfig",
    "rewards.apps.RewardsConfig",
    "members.apps.MembersConfig",
    "anymail",
    "modeltranslation",
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.import_export",
    "loyalty_crm.apps.DeskConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "django_filters",
    "django_htmx",
    "django_tables2",
    "heroicons",
    "import_export",
    "phonenumber_field",
    "pgtrigger",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "api.middleware.ApiMiddleware",  # answers by itself: what follows is for pages
    "loyalty_crm.middleware.NulMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "loyalty_crm.middleware.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "loyalty_crm.middleware.StaffSecondFactorMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.middleware.MemberMiddleware",
    "loyalty_crm.middleware.ShopTimeMiddleware",
    "loyalty_crm.middleware.WrongMethodMiddleware",
]
ROOT_URLCONF = "loyalty_crm.urls"
WSGI_APPLICATION = "loyalty_crm.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.context.programme",
            ]
        },
    }
]

# --- Data -------------------------------------------------------------------------------------------------------
DATABASES = {"default": env.db_url("DATABASE_URL", default="postgres://localhost/loyalty_crm")}
# A socket folder stands in the URL as %2Fpath; the driver wants it plain.
DATABASES["default"]["HOST"] = unquote(DATABASES["default"].get("HOST") or "")
# What common.sql.fetch_prepared runs is planned once on each connection, and not again for each value.
DATABASES["default"]["OPTIONS"] = {
    "prepare_threshold": 5,
    "options": "-c plan_cache_mode=force_generic_plan",
} | DATABASES["default"].get("OPTIONS", {})
DATABASES["default"] |= {"CONN_MAX_AGE": env.int("CONN_MAX_AGE", default=60), "CONN_HEALTH_CHECKS": True}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env.str("REDIS_URL", default="redis://localhost:6379/0")
# The cache holds the limits on signing in, which must neither end with a wiped Redis nor stop anyone when it is away.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "crm_cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
# Sessions outlive a wiped cache: Redis is a doorbell, PostgreSQL the truth.
SESSION_ENGINE = "django.contrib.sessions.backends.db"

# --- Background work --------------------------------------------------------------------------------------------
# A lost or doubled task does no harm: due work is rows in tables, and these ticks ask the tables.
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 900,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "health_check_interval": 25,
    "socket_keepalive": True,
    "socket_timeout": 30,
    "socket_connect_timeout": 2,
    # Whoever rings the bell of a broker that is down must not wait for it (the default is 6 s).
    "max_retries": 1,
    "interval_start": 0,
    "interval_max": 0.1,
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SOFT_TIME_LIMIT = 600
CELERY_TASK_TIME_LIMIT = 660
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_DB_REUSE_MAX = 500
CELERY_BEAT_SCHEDULE = {
    "run-reactions": {"task": "members.tasks.run_reactions", "schedule": 5.0},
    "bring-up-to-date": {"task": "members.tasks.bring_up_to_date", "schedule": 5.0},
    "refresh-segments": {"task": "members.tasks.refresh_segments", "schedule": crontab()},
    "check-summaries": {"task": "members.tasks.check_summaries", "schedule": crontab(hour=3, minute=51)},
    "gather-latecomers": {"task": "members.tasks.gather_latecomers", "schedule": crontab()},
    "find-duplicates": {"task": "members.tasks.find_duplicates", "schedule": crontab(hour=2, minute=41)},
    "find-new-duplicates": {
        "task": "members.tasks.find_duplicates",
        "schedule": crontab(minute=29, hour="*/3"),
        "kwargs": {"hours": 4},
    },
    "write-data-exports": {"task": "members.tasks.write_data_exports", "schedule": crontab()},
    "keep-promises": {"task": "members.tasks.keep_promises", "schedule": crontab(minute=43)},
    "run-retention": {"task": "members.tasks.run_retention", "schedule": crontab(hour=2, minute=11)},
    "send-claim-codes": {"task": "members.tasks.send_claim_codes", "schedule": 15.0},
    "plan-birthday-greetings": {"task": "campaigns.tasks.plan_birthday_greetings", "schedule": crontab()},
    "deliver-messages": {"task": "campaigns.tasks.deliver_messages", "schedule": 15.0},
    "run-broadcasts": {"task": "campaigns.tasks.run_broadcasts", "schedule": crontab()},
    "send-confirmations": {"task": "campaigns.tasks.send_confirmations", "schedule": 15.0},
    "keep-calendar": {"task": "campaigns.tasks.keep_calendar", "schedule": crontab(hour=2, minute=23)},
    "remove-unused-pictures": {
        "task": "campaigns.tasks.remove_unused_pictures",
        "schedule": crontab(hour=2, minute=37),
    },
    "judge-requests": {"task": "campaigns.tasks.judge_requests", "schedule": crontab()},
    "run-journeys": {"task": "campaigns.tasks.run_journeys", "schedule": crontab()},
    "send-invites": {"task": "referrals.tasks.send_invites", "schedule": crontab()},
    "forget-guesses": {"task": "referrals.tasks.forget_guesses", "schedule": crontab(minute=20)},
    "settle-referrals": {"task": "referrals.tasks.settle_referrals", "schedule": crontab()},
    "resume-jobs": {"task": "members.tasks.resume_jobs", "schedule": crontab()},
    "resume-imports": {"task": "rewards.tasks.resume_imports", "schedule": crontab()},
    "resume-replays": {"task": "rewards.tasks.resume_replays", "schedule": crontab()},
    "give-grants": {"task": "rewards.tasks.give_grants", "schedule": crontab()},
    "look-after-coupons": {"task": "rewards.tasks.look_after_coupons", "schedule": crontab()},
    "reward-days": {"task": "rewards.tasks.reward_days", "schedule": crontab(minute=7)},
    "lapse-holds": {"task": "rewards.tasks.lapse_holds", "schedule": crontab()},
    "lapse-redemptions": {"task": "rewards.tasks.lapse_redemptions", "schedule": crontab()},
    "cancel-untold": {"task": "rewards.tasks.cancel_untold", "schedule": crontab(minute=7)},
    "expire-points": {"task": "rewards.tasks.expire_points", "schedule": crontab(minute=17)},
    "score-members": {"task": "analytics.tasks.score_members", "schedule": crontab(hour=3, minute=52)},
    "refresh-figures": {"task": "analytics.tasks.refresh_figures", "schedule": crontab(minute="*/5")},
    "resume-reassessments": {"task": "rewards.tasks.resume_reassessments", "schedule": crontab()},
    "invite-to-surveys": {"task": "surveys.tasks.invite_to_surveys", "schedule": crontab()},
    "send-case-mail": {"task": "surveys.tasks.send_case_mail", "schedule": 15.0},
    "look-after-cases": {"task": "surveys.tasks.look_after_cases", "schedule": crontab()},
    "mix-anonymous-answers": {"task": "surveys.tasks.mix_anonymous_answers", "schedule": crontab(minute="*/15")},
    "read-texts": {"task": "surveys.tasks.read_texts", "schedule": crontab()},
    "reassess-tiers": {"task": "rewards.tasks.reassess_tiers", "schedule": crontab(hour=3, minute=27)},
}

# --- People -----------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "members.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "portal:home"
ACCOUNT_ADAPTER = "portal.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_SIGNUP_FORM_CLASS = "portal.forms.SignupForm"
ACCOUNT_FORMS = {"signup": "portal.sign_up.SignUpForm"}
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_LOGIN_BY_CODE_SUPPORTS_RESEND = True
ACCOUNT_PASSWORD_RESET_BY_CODE_ENABLED = True
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = ACCOUNT_PASSWORD_RESET_BY_CODE_TIMEOUT = 900
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_SESSION_REMEMBER = True
ALLAUTH_USER_CODE_FORMAT = {"numeric": True, "length": 8}
# Limits per address need the visitor's, not the proxy's.
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if SECURE_PROXY_SSL_HEADER else 0
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not HTTPS
MFA_TOTP_ISSUER = "Loyalty CRM"

# --- Mail and texts ---------------------------------------------------------------------------------------------
# Without EMAIL_URL, mail is kept on disk, where staff can open and read it.
OUTBOX_DIR = STATE_DIR / "outbox"
EMAIL_BACKEND = "common.mail.OutboxBackend"
if EMAIL_URL := env.str("EMAIL_URL", default=""):
    globals().update(env.email_url_config(EMAIL_URL))
    if EMAIL_BACKEND == "django.core.mail.backends.smtp.EmailBackend":
        EMAIL_BACKEND = "common.mail.SmtpBackend"
EMAIL_TIMEOUT = env.int("EMAIL_TIMEOUT", default=30)
# Mail by a provider of django-anymail: EMAIL_BACKEND=anymail.backends.postmark.EmailBackend, and its own settings, each
# an environment variable that begins with ANYMAIL_.
if EMAIL_PROVIDER := env.str("EMAIL_PROVIDER", default=""):
    EMAIL_BACKEND = f"anymail.backends.{EMAIL_PROVIDER}.EmailBackend"
ANYMAIL = {
    name.removeprefix("ANYMAIL_"): value
    for name, value in os.environ.items()
    if name.startswith("ANYMAIL_") and name != "ANYMAIL_WEBHOOK_SECRET"
}
# "name:password" that the provider puts into the address of its calls; until it is set, all of them are refused.
ANYMAIL["WEBHOOK_SECRET"] = env.str("ANYMAIL_WEBHOOK_SECRET", default="") or secrets.token_urlsafe(32) + ":x"
MESSAGE_HOSTS_INSIDE = env.list("MESSAGE_HOSTS_INSIDE", default=[])
# Where members answer mails of their cases: a mailbox that the provider's inbound webhook reads (docs/cases.md).
CASES_MAILBOX = env.str("CASES_MAILBOX", default="")
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Loyalty CRM <loyalty@localhost>")
SMS_BACKEND = env.str("SMS_BACKEND", default="common.sms.OutboxBackend")

# --- Language and place -----------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
MODELTRANSLATION_DEFAULT_LANGUAGE = "en"
MODELTRANSLATION_FALLBACK_LANGUAGES = ("en", "zh-hans")
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
USE_TZ = True
FORMAT_MODULE_PATH = ["loyalty_crm.formats"]
PHONENUMBER_DB_FORMAT = "E164"
PHONENUMBER_DEFAULT_REGION = env.str("PHONE_REGION", default=None)

# --- Files ------------------------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = STATE_DIR / "static"
MEDIA_ROOT = STATE_DIR / "media"  # pictures of rewards, which rewards.views serves
MEDIA_URL = "media/"
PRIVATE_ROOT = STATE_DIR / "private"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    # Never served: uploads that only the worker and permitted staff read.
    "private": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": PRIVATE_ROOT}},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
# The largest file of purchases that staff may upload; the command line takes any.
IMPORT_MAX_MB = env.int("IMPORT_MAX_MB", default=512)
IMPORT_EXPORT_ESCAPE_FORMULAE_ON_EXPORT = True
DJANGO_TABLES2_TEMPLATE = "portal/table.html"

from loyalty_crm.logs import LOGGING  # noqa: E402, F401
from loyalty_crm.unfold import UNFOLD  # noqa: E402, F401
