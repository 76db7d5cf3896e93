"""Misconfiguration, said at start-up with an id and a hint."""

from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import Error, Tags, Warning, register


@register(Tags.security, deploy=True)
def check_site_url(app_configs, **kwargs) -> list:
    """The address in mails and codes must be one the site answers to."""
    url = urlsplit(settings.SITE_URL)
    if url.scheme not in ("http", "https") or not url.hostname:
        return [Error("SITE_URL is not a web address.", hint="Set it to e.g. https://club.example.com", id="crm.E001")]
    hosts = settings.ALLOWED_HOSTS
    known = any(h == "*" or url.hostname == h.strip("[]") or (h[:1] == "." and url.hostname.endswith(h)) for h in hosts)
    if not known:
        hint = f"Add {url.hostname} to ALLOWED_HOSTS."
        return [Error("The host of SITE_URL is not in ALLOWED_HOSTS.", hint=hint, id="crm.E002")]
    return []


@register(Tags.security, deploy=True)
def check_mail(app_configs, **kwargs) -> list:
    """Messages that only reach the disk surprise an operator."""
    if settings.EMAIL_BACKEND == "common.mail.OutboxBackend":
        hint = "Set EMAIL_URL, e.g. smtp+tls://user:password@mail.example.com:587"
        return [Warning("Mail is kept on disk and sent to nobody.", hint=hint, id="crm.W001")]
    if settings.DEFAULT_FROM_EMAIL.endswith("@localhost>"):
        hint = 'Set DEFAULT_FROM_EMAIL, e.g. "Corner Café <club@example.com>"'
        return [Warning("Mail is sent from an address at localhost.", hint=hint, id="crm.W002")]
    return []


@register(Tags.security, deploy=True)
def check_second_factor(app_configs, **kwargs) -> list:
    """Staff can give points away; a password alone is too little."""
    if settings.REQUIRE_STAFF_MFA:
        return []
    return [Warning("Staff may sign in without a second factor.", hint="Set REQUIRE_STAFF_MFA=on.", id="crm.W003")]
