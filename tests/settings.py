"""The product's settings, with what a test must not wait for."""

import os

from loyalty_crm.settings import *  # noqa: F403
from loyalty_crm.settings import DATABASES, STORAGES

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
CONN_MAX_AGE = 0
ALLOWED_HOSTS = ["*"]
# A connection that a test's thread leaves behind in a transaction must not hold up the emptying of tables for ever.
_OPTIONS = DATABASES["default"].get("OPTIONS", {})
_NO_LEFTOVERS = f"{_OPTIONS.get('options', '')} -c idle_in_transaction_session_timeout=60000".strip()
DATABASES["default"]["OPTIONS"] = {**_OPTIONS, "options": _NO_LEFTOVERS}
if _template := os.environ.get("TEST_TEMPLATE"):
    DATABASES["default"]["TEST"] = {"TEMPLATE": _template}
WHITENOISE_AUTOREFRESH = True  # else each client lists every static file anew
