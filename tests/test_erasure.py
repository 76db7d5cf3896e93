"""Who is erased is found nowhere: a word planted in every field of every table, file, log and session is gone."""

import base64
import json
import subprocess
from contextlib import contextmanager
from pathlib import Path
from socket import socket

import pytest
from celery import Celery
from django.apps import apps
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection, models
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as RedisAway
from redis.retry import Retry

from common import doorbell
from common.sql import fetch_all
from loyalty_crm.launch.binaries import find_valkey
from members.enums import ImportState
from members.models import Member, Note, Purchase, PurchaseImport, TimelineEvent, User
from members.services.erasure import AlreadyErased, erase_member, sweep_again
from members.services.profile import link_account
from members.services.traces import FileInUse
from members.tests.factories import make_member
from rewards.queries import balance
from rewards.services.purchases import refund_purchase
from rewards.services.verify import verify
from rewards.tests.factories import adjust, post
from tests.canary import PHONE, WORD, plant

pytestmark = pytest.mark.django_db(transaction=True)
WORDS = (WORD, PHONE.removeprefix("+"))
# Text that holds nothing of a person, and why.
WHOLE_TABLES = {
    "campaigns_birthdaygreeting": "what marketers write to all",
    "campaigns_brand": "what marketers write to all",
    "campaigns_template": "what marketers write to all",
    "campaigns_templateversion": "what marketers write to all",
    "campaigns_snippet": "what marketers write to all",
    "campaigns_mailpicture": "pictures of what marketers write to all",
    "campaigns_campaign": "what marketers write to all",
    "campaigns_occasion": "the calendar",
    "campaigns_occasioncountry": "the calendar",
    "campaigns_occasiondate": "the calendar",
    "campaigns_broadcast": "what marketers write to all, and counts",
    "campaigns_broadcastvariant": "what marketers write to all",
    "campaigns_topic": "what marketers write to all",
    "campaigns_cap": "limits of messages",
    "campaigns_optinrule": "what has to be confirmed",
    "campaigns_sender": "the shop itself",
    "campaigns_bucket": "limits of speed",
    "campaigns_link": "addresses that marketers write to all",
    "surveys_survey": "what marketers write to all",
    "surveys_surveyversion": "the same",
    "surveys_quota": "the same",
    **dict.fromkeys(
        (f"surveys_{table}" for table in ("category", "rootcause", "cannedreply", "caserule", "holiday", "theme")),
        "what staff write for all",
    ),
    "surveys_surveypicture": "pictures to choose from",
    "surveys_improvementaction": "what the shop changes for all",
    "surveys_surveytrigger": "the same",
    "surveys_surveyplace": "stores and tables",
    "surveys_sharedreport": "titles that staff write, and choices of a form",
    "surveys_dueinvitation": "made of numbers, and deleted",
    "referrals_programme": "what marketers write to all",
    "referrals_programmeversion": "the same",
    "referrals_block": "whom the shop keeps out",
    "referrals_former": "keyed hashes of who is no member any more",
    "referrals_guess": "keyed hashes of who tried codes, for an hour",
    "referrals_said": "made of numbers, and deleted",
    "referrals_unwilling": "the same, of who wants no invitations",
    "campaigns_journey": "what marketers write to all",
    "campaigns_journeyversion": "the same",
    "campaigns_journeylog": "names of steps, numbers and codes",
    "campaigns_journeycall": "deleted with the way",
    "rewards_tier": "what marketers write to all",
    "rewards_reward": "what marketers write to all",
    "rewards_rewardpicture": "pictures of goods",
    "rewards_rewardsession": "dates for all",
    "rewards_benefit": "the same",
    "rewards_membershipplan": "the same",
    "rewards_reassessment": "work on all members",
    "rewards_offer": "what marketers write to all",
    "rewards_couponjob": "coupons made at once, nobody in particular",
    "rewards_earningrule": "what marketers write to all",
    "rewards_ruleversion": "the same",
    "rewards_checkinpoint": "places",
    "rewards_replay": "figures about all",
    "rewards_rewardsettingschange": "settings of all, and who of the staff changed them",
    "members_consentwording": "what marketers write to all",
    "members_attribute": "which attributes there are",
    "members_segment": "a question about many; what it says stands in no member",
    "members_segmentversion": "the same",
    "members_persona": "a kind of customer, nobody in particular",
    "members_tag": "words of the shop's own",
    "members_memberlist": "the list's name",
    "members_programme": "the shop itself",
    "members_retentionrule": "names of our own",
    "analytics_snapshot": "figures about all",
    "api_apikey": "connected systems",
    "auth_group": "roles",
    "auth_permission": "Django's own",
    "django_content_type": "Django's own",
}
COLUMNS = {
    "campaigns_topicchoice.source": "names of our own",
    "campaigns_contactpace.source": "names of our own",
    "campaigns_pendingconsent.source": "names of our own",
    "campaigns_deliveryevent.source": "the provider's name",
    "campaigns_deliveryevent.key": "the provider's number of what it told",
    "campaigns_journeyrun.key": "made of numbers",
    "campaigns_journeyrun.step": "names of our own",
    "campaigns_journeyrun.hears": "names of our own",
    "campaigns_trackevent.rule": "names of our own",
    "campaigns_trackevent.method": "a word of HTTP",
    "campaigns_message.occurrence": "the day, or the step of a journey",
    "surveys_invitation.key": "made of numbers",
    "referrals_advocate.code": "made of chance",
    "referrals_invite.language": "a language",
    "referrals_invite.mark": "a keyed hash",
    "referrals_trace.kind": "names of our own",
    "referrals_trace.mark": "a keyed hash",
    "referrals_referral.why": "names of signals, numbers",
    "referrals_referral.reason": "words of the shop",
    "referrals_referralstep.note": "words of the shop",
    "referrals_thanksgiven.key": "made of numbers",
    "referrals_thanksgiven.what": "names of our own",
    "surveys_response.language": "a language",
    "surveys_answer.question": "names of our own",
    "surveys_case.question": "names of our own",
    "surveys_case.score_kind": "names of our own",
    "surveys_answer.rows": "names of choices",
    "surveys_case.store": "a shop",
    "surveys_casechange.what": "names of our own",
    "surveys_casechange.data": "numbers and names of our own",
    "surveys_suggestion.title": "the default language's",
    "surveys_suggestion.answer": "the same",
    "api_answer.call": "names of our own",
    "api_answer.source": "the till's name",
    "api_answer.key": "the receipt's number: bookkeeping",
    "rewards_grantrequest.key": "a random number of the form",
    "rewards_grantrequest.why": "limits in numbers",
    "members_member.time_zone": "set to the shop's",
    "members_member.source": "the system by which they came",
    "members_member.country": "two letters; emptied",
    "members_member.card_number": "replaced by one that nobody ever held",
    "members_identity.system": "the other system's name",
    "members_purchase.source": "the till's name",
    "members_purchase.key": "the receipt's number: bookkeeping",
    "members_purchase.currency": "a currency",
    "members_purchase.store": "a shop",
    "members_purchaseline.sku": "a product",
    "members_purchaseline.name": "a product",
    "members_purchaseline.category": "a product",
    "members_purchaseline.brand": "a product",
    "members_refund.source": "the till's name",
    "members_refund.key": "the receipt's number: bookkeeping",
    "members_cardclaim.card_number": "deleted with its row",
    "members_customevent.source": "the other system's name",
    "members_customevent.key": "a caller's key",
    "members_customevent.kind": "a word of the shop's own",
    "members_timelineevent.kind": "names of our own",
    "members_pendingreaction.reaction": "names of our own",
    "members_user.password": "a hash, replaced",
    "members_importproblem.code": "names of our own",
    "members_exportjob.columns": "names of columns",
    "members_exportjob.language": "a language",
    "rewards_transfer.key": "made of numbers, or of a caller's key",
    "rewards_transfer.why": "numbers, and which rule it was",
    "rewards_evaluation.trace": "numbers, and what the rules ask for; what an event told stays with the event",
    "rewards_hold.key": "a caller's key",
    "rewards_lotchange.key": "a random number of the form",
    "rewards_redemption.source": "the till's name",
    "rewards_redemption.key": "a caller's key",
    "rewards_redemption.code": "random; taken away",
    "rewards_redemption.why": "numbers: price and gates",
    "rewards_redemption.store": "a shop",
    "rewards_tierchange.why": "numbers",
    "rewards_tierlift.key": "a random number of the form",
    **{
        f"rewards_{table}.{column}": "a caller's own"
        for table in ("benefituse", "planmembership")
        for column in ("source", "key")
    },
    "rewards_benefituse.store": "a shop",
    "rewards_coupon.code": "random",
    "rewards_coupon.issue_key": "made of numbers, or of a caller's key",
    "rewards_couponuse.source": "the till's name",
    "rewards_couponuse.key": "a caller's key",
    "rewards_couponuse.fingerprint": "a hash",
    "rewards_couponuse.currency": "a currency",
    "rewards_couponuse.store": "a shop",
    "django_admin_log.object_id": "a number",
    "django_session.session_key": "random",
    **{
        f"members_{table}.{column}": "how a whole file is read"
        for table in ("purchaseimport", "customerimport")
        for column in ("error", "mapping", "source", "fixed", "problem_counts", "currency", "time_zone")
    },
    **{f"members_exportjob.{column}": "why a file was not written" for column in ("error", "error_params")},
}  # fmt: skip


def text_columns() -> set[str]:
    """Every column of our models that can hold words of a person."""
    found = set()
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.local_concrete_fields:
            is_text = isinstance(field, (models.CharField, models.TextField, models.JSONField, models.FileField))
            if is_text and not field.choices:
                found.add(f"{model._meta.db_table}.{field.column}")
    return found


def where_found() -> set[str]:
    """The columns, of all tables there are, in which one of WORDS stands; sessions and the cache are opened."""
    rows = fetch_all(
        """
        SELECT table_name, column_name FROM information_schema.columns JOIN information_schema.tables
        USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
        """
    )
    found = set()
    with connection.cursor() as cursor:
        for table, column in rows:
            cursor.execute(
                f'SELECT EXISTS (SELECT FROM "{table}" WHERE "{column}"::text ILIKE ANY(%s))',
                [[f"%{word}%" for word in WORDS]],
            )
            if cursor.fetchone()[0]:
                found.add(f"{table}.{column}")
    if any(word in str(session.get_decoded()).lower() for session in Session.objects.all() for word in WORDS):
        found.add("django_session.session_data")
    for (value,) in fetch_all("SELECT value FROM crm_cache"):
        if any(word.encode() in base64.b64decode(value).lower() for word in WORDS):
            found.add("crm_cache.value")
    return found


def files() -> list[Path]:
    folders = (settings.PRIVATE_ROOT, settings.MEDIA_ROOT, settings.OUTBOX_DIR)
    return [path for folder in folders for path in Path(folder).rglob("*") if path.is_file()]


@pytest.fixture
def canary(at, settings, db):
    settings.EMAIL_BACKEND = "common.mail.OutboxBackend"
    Path(settings.PRIVATE_ROOT).mkdir(parents=True)
    return plant(at)


def test_the_word_is_planted_wherever_a_person_can_stand(canary):
    open_columns = {c for c in text_columns() if c.split(".")[0] not in WHOLE_TABLES} - set(COLUMNS)
    files_by_name = {"members_dataexport.file", "members_customerimport.file", "members_exportjob.file"}
    assert open_columns - where_found() - files_by_name == set()
    assert len(files()) >= 8


def test_who_is_erased_is_found_nowhere_and_the_ledger_holds(canary, at, capfd):
    names = [path.name for path in files()]
    assert any(name.endswith(".eml") for name in names)
    erased = erase_member(member_id=canary.pk, at=at)
    assert len(erased.member_ids) == 2
    assert where_found() == set()
    assert files() == []
    said = capfd.readouterr()
    assert not any(word in (said.out + said.err).lower() for word in WORDS)
    assert [result.difference for result in verify() if result.difference] == []
    assert balance(canary.pk, at) == 0
    gone = Member.objects.get(pk=canary.pk)
    assert gone.erased_at == at
    assert gone.card_number != canary.card_number
    kinds = set(TimelineEvent.objects.filter(member=canary).values_list("kind", flat=True))
    assert kinds == {"member.erased", "purchase.paid", "purchase.refunded"}


def test_others_keep_what_is_theirs(canary, at):
    other = Member.objects.exclude(pk=canary.pk).filter(merged_into=None, referral=None).get()
    post(other, at)
    before = Member.objects.filter(pk=other.pk).values().get(), TimelineEvent.objects.filter(member=other).count()
    erase_member(member_id=canary.pk, at=at)
    assert (
        Member.objects.filter(pk=other.pk).values().get(),
        TimelineEvent.objects.filter(member=other).count(),
    ) == before
    assert balance(other.pk, at) == 10


def test_erasing_twice_is_refused_and_what_comes_late_is_swept(canary, at):
    erase_member(member_id=canary.pk, at=at)
    with pytest.raises(AlreadyErased):
        erase_member(member_id=canary.pk, at=at)
    Note.objects.create(member_id=canary.pk, text=f"{WORD} called again", at=at)
    adjust(canary, 10, at, key="late")
    sweep_again(at=at)
    assert where_found() == set()
    assert balance(canary.pk, at) == 0
    assert [result.difference for result in verify() if result.difference] == []
    assert TimelineEvent.objects.filter(member=canary, kind="member.erased").count() == 1


def test_a_purchase_told_again_is_answered_as_before(canary, at):
    purchase = Purchase.objects.get(member=canary)
    erase_member(member_id=canary.pk, at=at)
    again = refund_purchase(purchase_id=purchase.pk, source="till", key="r1", amount_minor=1_000, at=at)
    assert (again.is_new, again.points_taken) == (False, 10)


def test_a_file_that_is_just_being_read_stops_the_erasure(canary, at):
    PurchaseImport.objects.filter(name="x.csv").update(state=ImportState.RUNNING)
    with pytest.raises(FileInUse):
        erase_member(member_id=canary.pk, at=at)
    assert Member.objects.get(pk=canary.pk).name == f"Anna {WORD}"
    assert any(path.suffix == ".eml" for path in files())


def test_a_merged_card_takes_all_of_the_person_along(canary, at):
    old = Member.objects.get(merged_into=canary)
    erase_member(member_id=old.pk, at=at)
    assert where_found() == set()


def test_staff_who_are_members_keep_their_sign_in(at, db):
    user = User.objects.create_user("chef@example.com", is_staff=True, first_name="Chef")
    member = link_account(member_id=make_member().pk, user=user, at=at)
    erase_member(member_id=member.pk, at=at)
    user.refresh_from_db()
    assert (user.email, user.is_active, Member.objects.get(pk=member.pk).user_id) == ("chef@example.com", True, None)


def test_nothing_of_a_person_reaches_redis(at, settings, tmp_path):
    """Tasks carry numbers: what the broker holds while members join, buy and are erased names nobody."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    argv = [find_valkey()[0], "--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(tmp_path)]
    server = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    try:
        redis = Redis(port=port, retry=Retry(ConstantBackoff(0.1), 100), retry_on_error=[RedisAway])
        redis.ping()
        broker = Celery("canary", broker=f"redis://127.0.0.1:{port}/0", set_as_current=False)
        with patch_doorbell(broker):
            member = plant(at)
            held = dump(redis)
            assert held
            erase_member(member_id=member.pk, at=at)
        assert not any(word.encode() in blob.lower() for blob in held + dump(redis) for word in WORDS)
    finally:
        server.kill()
        server.wait()


@contextmanager
def patch_doorbell(app: Celery):
    ours, doorbell.current_app = doorbell.current_app, app
    doorbell._rung.clear()
    try:
        yield
    finally:
        doorbell.current_app = ours


def dump(redis: Redis) -> list[bytes]:
    """Every value of every key, as bytes; the bodies of tasks are base64 within."""
    blobs = [
        blob for key in redis.scan_iter() for blob in (redis.lrange(key, 0, -1) if redis.type(key) == b"list" else [])
    ]
    return blobs + [base64.b64decode(json.loads(blob)["body"]) for blob in blobs]
