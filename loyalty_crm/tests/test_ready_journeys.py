"""The ready journeys as manage.py shows them: mails in a folder, and nothing else left."""

from email import message_from_bytes
from email.policy import default

import pytest
from django.core import mail
from django.core.management import call_command

from campaigns.models import Campaign, Journey, Message
from campaigns.tests.factories import due
from members.models import Member


@pytest.mark.django_db
def test_mails_are_kept_as_they_arrive_and_nothing_of_the_shop_s_own_leaves(tmp_path):
    due()
    before = (Member.objects.count(), Message.objects.get().state, Campaign.objects.get().state)
    call_command("ready_journeys", str(tmp_path), journey=["win-back"], verbosity=0)
    kept = sorted(path.name for path in tmp_path.glob("*.eml"))
    assert kept == [f"win-back-{step}-{to}.eml" for step in ("last", "miss", "more") for to in ("en", "zh-hans")]
    first, second = (message_from_bytes((tmp_path / kept[n]).read_bytes(), policy=default) for n in (2, 3))
    assert (first["Subject"], second["Subject"]) == ("We have not seen you for a while", "好久不见，近来可好？")
    assert 'src="data:image/png;base64,' in (tmp_path / "win-back-more-en.html").read_text()
    assert (Member.objects.count(), Message.objects.get().state, Campaign.objects.get().state) == before
    assert not Journey.objects.exists()
    assert mail.outbox == []
