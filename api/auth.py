"""Who may call. `Authorization: Bearer KEY`, and a scope for each call."""

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from ninja.security import HttpBearer

from api.enums import Scope
from api.errors import Refused
from api.services.keys import Caller, KeyRevoked, TooManyCalls, UnknownKey, recognise, seen_lately

_ASK = {"WWW-Authenticate": "Bearer"}


class ApiKey(HttpBearer):
    """Lets a call through whose key has the scope. With `lately` who was recognised just before is let through unasked:
    the call asks itself whether the key still opens anything (api.services.keys.still)."""

    def __init__(self, scope: Scope, *, lately: bool = False) -> None:
        super().__init__()
        self.scope, self.lately = scope, lately

    def __call__(self, request: HttpRequest) -> Caller:
        scheme, _space, key = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            message = _("Please send your key: “Authorization: Bearer …”.")
            raise Refused(401, "key_missing", message, headers=_ASK)
        if self.lately and (caller := seen_lately(key.strip())) and self.scope in caller.scopes:
            return caller
        return self.authenticate(request, key.strip())

    def authenticate(self, request: HttpRequest, token: str) -> Caller:
        try:
            caller = recognise(token)
        except UnknownKey:
            raise Refused(401, "key_unknown", _("This key is not known here."), headers=_ASK) from None
        except KeyRevoked:
            raise Refused(401, "key_revoked", _("This key has been revoked."), headers=_ASK) from None
        except TooManyCalls as error:
            text = ngettext(
                "Too many calls. Please try again in %(n)d second.",
                "Too many calls. Please try again in %(n)d seconds.",
                error.args[0],
            )
            message, wait = text % {"n": error.args[0]}, str(error.args[0])
            raise Refused(429, "too_many_calls", message, headers={"Retry-After": wait}) from None
        if self.scope not in caller.scopes:
            message = _("This key may not do that: it lacks “%(scope)s”.") % {"scope": self.scope.value}
            raise Refused(403, "scope_missing", message)
        return caller
