"""The staff admin: who may enter, and the pages that draw on every app below."""

from allauth.account.admin import EmailAddress
from allauth.account.decorators import secure_admin_login
from allauth.mfa.admin import Authenticator
from django.contrib import admin

from loyalty_crm.admin import figures, members

__all__ = ["figures", "members"]

# Staff sign in where members do: one place for passwords, codes, passkeys, second factors and their limits.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
# People look after their own addresses and second factors, in the portal; a lost one is reset on the user's page.
admin.site.unregister([EmailAddress, Authenticator])
