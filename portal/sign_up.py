"""allauth's sign-up form with one addition. Not in forms.py, which allauth's own forms import."""

from allauth.account.forms import SignupForm
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest


class SignUpForm(SignupForm):
    def try_save(self, request: HttpRequest):
        """A known address takes the time that hashing a new account's password takes, and so tells nothing."""
        if self.account_already_exists:
            make_password(self.cleaned_data["password1"])
        return super().try_save(request)
