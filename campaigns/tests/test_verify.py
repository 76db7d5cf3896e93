"""What `verify` holds of messages, and the damage that each check names."""

import pytest

from campaigns.services.verify import MESSAGE_CHECKS
from campaigns.tests.factories import due, run
from common.sql import execute
from rewards.services.verify import verify

pytestmark = pytest.mark.django_db

DAMAGES = {
    "The timeline says": "DELETE FROM members_timelineevent WHERE kind = 'message.sent'",
    "No message is forgotten": "UPDATE campaigns_message SET state = 'handing_over', sent_at = NULL,"
    " token = gen_random_uuid(), lease_until = due_at",
    "What came with a message": "UPDATE rewards_transfer SET kind = 'adjust' WHERE kind = 'gift'",
    "What a server took": "UPDATE campaigns_message SET dot_at = answered_at + interval '1 second'",
}


def test_messages_are_held_to_what_became_of_them(sink):
    due(gift_points=10)
    assert run() == 1
    results = {str(result.check): result for result in verify()}
    assert [check for check, result in results.items() if result.difference] == []
    assert [check.name for check in MESSAGE_CHECKS[2:] + MESSAGE_CHECKS[:1] if not results[str(check.name)].rows] == []


@pytest.mark.parametrize(("named", "statement"), DAMAGES.items())
def test_each_damage_is_named(sink, named, statement):
    due(gift_points=10)
    assert run() == 1
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    execute("SET LOCAL session_replication_role = replica")
    assert execute(statement) == 1
    execute("SET LOCAL session_replication_role = origin")
    (found,) = [result.difference for result in verify() if named in str(result.check)]
    assert found is not None
    assert found.rows == 1
    assert [check.name for check in MESSAGE_CHECKS if not any(part in str(check.name) for part in DAMAGES)] == []
