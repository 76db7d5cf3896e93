"""The product's settings, with what a test must not wait for."""

from loyalty_crm.settings import *  # noqa: F403
from loyalty_crm.settings import STORAGES

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {**STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
CONN_MAX_AGE = 0
ALLOWED_HOSTS = ["*"]
