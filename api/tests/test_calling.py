"""Whatever is sent, the answer is JSON that says what is wrong, and never a 500."""

import json
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from api.enums import Scope
from api.models import ApiKey
from api.services.keys import create_key, revoke_key
from api.tests.factories import Caller, problem
from api.urls import api
from members.models import Member
from members.tests.factories import make_member

pytestmark = pytest.mark.django_db


def test_nothing_without_a_key(client):
    for path, calls in api.get_openapi_schema()["paths"].items():
        for method, call in calls.items():
            address = path.format(ref="280000000000", id="1", code="A", number="C-1")
            for headers in ({}, {"authorization": "Basic abc"}, {"authorization": "Bearer "}):
                answer = client.generic(
                    method.upper(), address, b"{}", content_type="application/json", headers=headers
                )
                assert problem(answer) == (401, "key_missing", None), (method, path)
                assert answer["WWW-Authenticate"] == "Bearer"
            headers = {"authorization": "Bearer crm_" + "x" * 43}
            answer = client.generic(method.upper(), address, b"{}", content_type="application/json", headers=headers)
            assert problem(answer) == (401, "key_unknown", None), (method, path)
            wrong = Caller(scopes=[scope for scope in Scope.values if scope != call["x-scope"]])
            answer = wrong.send(method.upper(), address.removeprefix("/api/v1"), {})
            assert problem(answer) == (403, "scope_missing", None), (method, path)


def test_a_revoked_key_opens_nothing_at_once():
    till = Caller()
    assert till.get("/members/1").status_code == 404
    revoke_key(key_id=till.row.pk, at=timezone.now())
    assert problem(till.get("/members/1")) == (401, "key_revoked", None)


def test_only_a_hash_of_a_key_is_kept():
    till = Caller()
    row = ApiKey.objects.values().get()
    assert till.key not in str(row)
    assert till.key.startswith(row["prefix"])
    assert len(till.key) >= 4 + 43


def test_the_last_use_is_written_at_most_once_a_minute():
    till = Caller()
    till.get("/members/1")
    seen = ApiKey.objects.get().last_used_at
    with CaptureQueriesContext(connection) as captured:
        till.get("/members/1")
    assert not [query for query in captured if "UPDATE" in query["sql"]]
    ApiKey.objects.update(last_used_at=seen - timedelta(seconds=61))
    till.get("/members/1")
    assert ApiKey.objects.get().last_used_at >= seen


def test_calls_beyond_the_limit_wait_for_the_next_minute():
    till = Caller(per_minute=3)
    codes = [till.get("/members/1").status_code for _ in range(3)]
    assert codes == [404] * 3
    answer = till.get("/members/1")
    if answer.status_code == 404:  # a minute has just begun
        for _ in range(2):
            till.get("/members/1")
        answer = till.get("/members/1")
    assert problem(answer) == (429, "too_many_calls", None)
    assert 1 <= int(answer["Retry-After"]) <= 60
    ApiKey.objects.update(minute=1)
    assert till.get("/members/1").status_code == 404


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"", 422, "invalid"),
        (b"{", 400, "bad_json"),
        (b"\xff\xfe", 400, "bad_json"),
        (b'{"key": "\x00"}', 400, "bad_json"),
        (b'{"key": "a\\u0000b"}', 400, "bad_text"),
        (b'{"key": "a\\ud800b"}', 400, "bad_text"),
        (b'{"a\\udfff": 1}', 400, "bad_text"),
        (b'{"key": NaN}', 400, "bad_json"),
        (b'{"key": ' + b"9" * 5000 + b"}", 400, "bad_json"),
        (b"[" * 200_000, 400, "too_deep"),
        (b'{"key":' * 100_000, 400, "too_deep"),
        (b"[]", 422, "invalid"),
        (b"null", 422, "invalid"),
        (b"1", 422, "invalid"),
        (b'"text"', 422, "invalid"),
        (b'{"key": {"a": 1}}', 422, "invalid"),
        (b'{"key": "1", "name": null}', 422, "invalid"),
        (b'{"key": "1", "language": ["en"]}', 422, "invalid"),
        (b'{"key": "' + b"x" * 121 + b'"}', 422, "invalid"),
        (b'{"key": "' + b"x" * 3_000_000 + b'"}', 413, "too_large"),
    ],
)
def test_strange_bodies_are_told_what_is_wrong(raw, status, code):
    answer = Caller().post("/members", raw=raw)
    assert problem(answer)[:2] == (status, code)
    assert answer["Content-Type"] == "application/json"
    assert not Member.objects.exists()


def test_only_json_is_read():
    till = Caller()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        assert problem(till.post("/members", raw=b'{"key":"1"}', content_type=kind))[:2] == (415, "not_json"), kind
    assert till.post("/members", {"key": "1"}, content_type="application/json; charset=utf-8").status_code == 201


def test_unknown_addresses_and_methods_are_answered_in_json():
    till = Caller()
    for path in ("/", "/nothing", "/members/", "/members/1/points", "/../admin/", "/%00"):
        assert problem(till.get(path))[0] in (404, 405), path
    answer = till.send("DELETE", "/members")
    assert problem(answer)[:2] == (405, "wrong_method")
    assert answer["Allow"] == "POST"


def test_the_message_is_in_the_language_that_was_asked_for():
    till = Caller()
    english = till.get("/members/1").json()["error"]
    chinese = till.get("/members/1", **{"accept-language": "zh-CN,zh;q=0.9"}).json()["error"]
    assert english["code"] == chinese["code"]
    assert english["message"].isascii()
    assert "会员" in chinese["message"]
    assert till.get("/members/1").json()["error"] == english  # the thread has forgotten the Chinese


def test_a_call_asks_for_no_session_and_no_user():
    till, member = Caller(), make_member()
    till.client.cookies["sessionid"] = "x" * 32
    till.get(f"/members/{member.card_number}")
    with CaptureQueriesContext(connection) as captured:
        answer = till.get(f"/members/{member.card_number}")
    assert not [query for query in captured if "session" in query["sql"]]
    assert not answer.cookies
    assert answer["Cache-Control"] == "no-store"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer["Content-Security-Policy"]


def test_a_database_that_is_away_is_no_error_of_ours(monkeypatch):
    from django.db import OperationalError

    till = Caller()
    monkeypatch.setattr("api.services.keys.fetch_prepared", lambda *_: (_ for _ in ()).throw(OperationalError("away")))
    answer = till.get("/members/1")
    assert problem(answer)[:2] == (503, "try_again")
    assert answer["Retry-After"] == "1"


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_died_since_the_last_call_is_made_anew():
    till = Caller()
    assert problem(till.get("/members/1"))[0] == 404
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 2000)", [connection.connection.info.backend_pid])
    other.close()
    assert problem(till.get("/members/1"))[0] == 404


def test_the_description_is_for_everybody_and_whole(client):
    schema = client.get("/api/v1/openapi.json").json()
    assert schema["openapi"].startswith("3.1")
    for calls in schema["paths"].values():
        for call in calls.values():
            assert call["summary"]
            assert call["description"]
            assert {"401", "403", "429"} <= call["responses"].keys()
    json.dumps(schema)


def test_a_key_is_made_at_the_command_line(capsys):
    call_command("create_api_key", "Shop", scopes=["members:read", "members:write"], source="web-shop")
    key = capsys.readouterr().out.strip()
    row = ApiKey.objects.get()
    assert (row.source, row.scopes) == ("web-shop", ["members:read", "members:write"])
    assert key.startswith(row.prefix)
    for wrong in ({"scopes": ["members:all"]}, {"scopes": ["members:read"], "source": "e mail"}):
        with pytest.raises(CommandError):
            call_command("create_api_key", "Shop", **wrong)
    with pytest.raises(ValidationError):
        create_key(name="Shop", source="email", scopes=["members:read"])  # email:… means something else
