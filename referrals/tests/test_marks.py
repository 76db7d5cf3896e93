"""What is kept of strangers, to be known again."""

from referrals.marks import mail_mark


def test_who_refused_for_ever_is_known_after_the_key_was_changed(settings):
    before = mail_mark("Friend@example.com")
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "a new key"
    assert mail_mark("friend@example.com") == before
    settings.SECRET_KEY_FALLBACKS = []
    assert mail_mark("friend@example.com") != before
