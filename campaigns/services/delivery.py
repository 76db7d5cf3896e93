"""Delivery: claim, write, hand over, mark, settle. docs/delivery.md.

A chunk of messages is written and said to be handed over in one durable commit; then each is marked right before the
byte that ends it leaves, in a commit that survives the worker; what came of them is written for many at once. A worker
that dies leaves in doubt only a message whose mark is there and whose answer is not.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from math import ceil
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, connections

from campaigns.channels import Fate, Outgoing, Refusal, Stopped
from campaigns.channels.answers import is_an_answer, of_exception
from campaigns.channels.lines import line_of
from campaigns.enums import MessageState
from campaigns.models import Sender
from campaigns.services import breaker
from campaigns.services.claims import (
    LEASE,
    Outcome,
    alive,
    claim,
    mark,
    pause,
    seconds_until_more,
    settle,
    sweep,
)
from campaigns.services.content import freeze
from campaigns.services.pace import Limit, of_campaign, take
from campaigns.services.suppression import suppress_bad_address
from common.sql import execute, fetch_all

log = structlog.get_logger(__name__)
Clock = Callable[[], datetime]

CHUNK = 200
FIRST = 50  # of a sender whose speed this process does not know
RUN = timedelta(minutes=5)  # of one task; the next tick goes on
TURN = timedelta(seconds=20)  # of one sender, while others wait
AHEAD = 5  # seconds; so much is written ahead, by the limits of speed and by how fast the server is
MOST_WAIT = 1.5  # seconds that a deliverer waits for its limit of speed; for longer, it goes
LONG_PAUSE = timedelta(hours=1)  # after an answer that we are not wanted
SERVICE_LANE = 99  # a lane of each sender that only messages of service use


def deliver(*, clock: Clock) -> int:
    """Sends what waits, a sender at a time in turns, until nothing is due or five minutes are over; how many were
    sent. Several may run at once: each sender has as many lanes as it is allowed."""
    sent, tired, until = 0, set[int](), clock() + RUN
    with alive() as token:
        sweep(at=clock(), token=token)
        while clock() < until:
            served = 0
            for sender in _with_work(clock()):
                if sender.pk in tired:
                    continue
                with _lane(sender) as lane:
                    if lane is None:
                        continue
                    turn = _Turn(sender, token, clock, lane == SERVICE_LANE)
                    done, more = turn.run()
                    sent += done
                    served += 1
                    if not more:
                        tired.add(sender.pk)
            if not served:
                break
    return sent


def _with_work(at: datetime) -> list[Sender]:
    """The senders for which something is due, those with service first."""
    rows = fetch_all(
        """
        SELECT sender.id, bool_or(campaign.kind = 'service') AS service
        FROM campaigns_sender AS sender CROSS JOIN campaigns_campaign AS campaign
        WHERE campaign.state = 'running' AND sender.paused_at IS NULL
          AND (sender.open_until IS NULL OR sender.open_until <= %(at)s) AND EXISTS (
              SELECT FROM campaigns_message AS message
              WHERE message.campaign_id = campaign.id AND message.sender_id = sender.id AND message.state = 'queued'
                AND message.next_try_at <= %(at)s AND message.expires_at > %(at)s)
        GROUP BY sender.id ORDER BY service DESC, sender.id
        """,
        {"at": at},
    )
    senders = Sender.objects.in_bulk([row[0] for row in rows])
    return [senders[row[0]] for row in rows]


@contextmanager
def _lane(sender: Sender) -> Iterator[int | None]:
    """A free lane of a sender, if there is one, for as long as it is used."""
    free = None
    for lane in (*range(sender.lanes), SERVICE_LANE):
        if fetch_all("SELECT pg_try_advisory_lock(%s, %s)", [sender.pk, lane])[0][0]:
            free = lane
            break
    try:
        yield free
    finally:
        if free is not None:
            execute("SELECT pg_advisory_unlock(%s, %s)", [sender.pk, free])


_speeds: dict[int, float] = {}  # messages a second, by sender, as this process saw them last


class _Turn:
    """One sender's messages, chunk by chunk, by one connection."""

    def __init__(self, sender: Sender, token: UUID, clock: Clock, only_service: bool) -> None:
        self.sender, self.token, self.clock, self.only_service = sender, token, clock, only_service
        self.line = line_of(sender)
        self.limits = limits_of(sender)
        # What is written gives its gift, and service waits behind it: no more than can leave in a few seconds.
        self.most = min([CHUNK, *(ceil(limit.holds + AHEAD * limit.rate) for limit in self.limits)])
        self.outcomes: list[Outcome] = []
        self.answered = 0  # the message that the server took last, if that is not yet marked
        self.bad: list[tuple[str, str]] = []  # addresses that do not exist, and who said so
        self.deadline = clock() + TURN
        self.halted = False
        self.sent = 0
        self.beside = ThreadPoolExecutor(1)  # with a connection of its own
        self.settling: Future[int] | None = None

    def run(self) -> tuple[int, bool]:
        """How many were sent, and whether there may be more to do at once."""
        more = True
        try:
            while more and not self.halted and self.clock() < self.deadline:
                chunk = self._room()
                limit = breaker.how_many(self.sender, self.clock(), chunk)
                ids = claim(
                    sender_id=self.sender.pk,
                    token=self.token,
                    at=self.clock(),
                    limit=limit,
                    only_service=self.only_service,
                )
                more = bool(ids) or self._more_soon()
                if ids:
                    breaker.trying(sender=self.sender)
                    self._chunk(ids, whole=len(ids) == chunk)
        finally:
            try:
                self._settled()
            finally:
                self.beside.submit(connections.close_all).result()
                self.beside.shutdown()
                self.line.close()
        return self.sent, more and not self.halted

    def _room(self) -> int:
        """How many to write next."""
        speed = _speeds.get(self.sender.pk)
        return min(self.most, FIRST if speed is None else ceil(AHEAD * speed))

    def _more_soon(self) -> bool:
        """Waits for a campaign's own speed, if that takes a moment only; whether it did."""
        wait = None if self.only_service else seconds_until_more(sender_id=self.sender.pk, at=self.clock())
        if wait is None or wait > MOST_WAIT:
            return False
        time.sleep(wait)
        return True

    def _chunk(self, ids: list[int], *, whole: bool) -> None:
        ready = self._freeze(ids)
        self._settled()  # before the first mark of this chunk: so a dead worker leaves one message in doubt, not two
        # The marks are one statement, planned once: planning it takes longer than doing it.
        execute("SET synchronous_commit = off; SET plan_cache_mode = force_generic_plan", None)
        started = time.monotonic()
        try:
            self._hand_over(ready)
        finally:
            execute("RESET synchronous_commit; RESET plan_cache_mode", None)
        if tried := sum(one.tried for one in self.outcomes):
            _speeds[self.sender.pk] = max(tried / max(time.monotonic() - started, 0.001), 1.0)
        outcomes, self.outcomes, self.answered = self.outcomes, [], 0
        bad, self.bad = self.bad, []
        if whole and not connection.in_atomic_block:  # more will come: while it is claimed and written
            self.settling = self.beside.submit(self._settle, outcomes, bad, self.clock())
        else:
            self.sent += self._settle(outcomes, bad, self.clock())

    def _settle(self, outcomes: list[Outcome], bad: list[tuple[str, str]], at: datetime) -> int:
        sent = settle(outcomes=outcomes, token=self.token, at=at)
        for value, said in bad:  # after the message itself says failed: it would be skipped else
            suppress_bad_address(channel=self.sender.channel, value=value, note=said, at=at)
        return sent

    def _settled(self) -> None:
        """Waits until the chunk before is settled."""
        settling, self.settling = self.settling, None
        if settling is not None:
            self.sent += settling.result()

    def _freeze(self, ids: list[int]) -> list[Outgoing]:
        """Writes a chunk. If one message breaks it, each goes by itself and the bad one waits."""
        at = self.clock()
        lease = at + TURN + LEASE + 2 * timedelta(seconds=settings.EMAIL_TIMEOUT or 30)
        try:
            return freeze(ids=ids, token=self.token, at=at, lease=lease, sender=self.sender)
        except Exception as error:
            if not connection.is_usable():  # the database is away, which is no message's fault
                raise
            if len(ids) > 1:
                return [ready for one in ids for ready in self._freeze([one])]
            log.exception("message cannot be written", message_id=ids[0])
            self._put(ids[0], MessageState.QUEUED, f"{type(error).__name__}: {error}", wait=pause(1))
            return []

    def _hand_over(self, ready: list[Outgoing]) -> None:
        try:
            if ready:
                self.line.open()
        except Refusal as refused:
            self._refused(ready[0], refused)
            self._give_back(ready[1:], pause(1))
            return
        for place, message in enumerate(ready):
            if self.clock() < self.deadline and self._campaign_waits(message):
                continue
            wait = self._pace() if self.clock() < self.deadline else 0.0
            if self.clock() >= self.deadline or wait > 0:
                self._give_back(ready[place:], timedelta(seconds=wait))
                self.halted = wait > 0
                return
            self._send(message, self._following(ready, place + 1))
            if self.halted:
                self._give_back(ready[place + 1 :], pause(1))
                return

    def _following(self, ready: list[Outgoing], place: int) -> Outgoing | None:
        """The next, unless something may hold it up: the mail server would wait for it."""
        if place >= len(ready) or self.limits or ready[place].rate_per_minute or self.clock() >= self.deadline:
            return None
        return ready[place]

    def _pace(self) -> float:
        """0, or for how many seconds nothing may leave."""
        if not self.limits:  # for each mail: a transaction about nothing costs too
            return 0.0
        while wait := take(self.limits):
            if wait > MOST_WAIT:
                return wait
            time.sleep(wait)
        return 0.0

    def _campaign_waits(self, message: Outgoing) -> bool:
        """Whether the message's campaign has had its share of this minute; other campaigns go on."""
        if not message.rate_per_minute:
            return False
        wait = take([of_campaign(message.campaign_id, message.rate_per_minute)])
        if wait > 0:
            self._give_back([message], timedelta(seconds=wait))
        return wait > 0

    def _send(self, message: Outgoing, following: Outgoing | None) -> None:
        begun = False

        def begin(meanwhile: Callable[[], None] = lambda: None) -> None:
            nonlocal begun
            may = mark(
                message_id=message.id,
                answered=self.answered,
                token=self.token,
                at=self.clock(),
                harmless=self.line.harmless,
                meanwhile=meanwhile,
            )
            if not may:
                raise Stopped
            begun, self.answered = True, 0

        try:
            provider_id = self.line.send(message, begin, following)
        except Stopped:
            self._put(message.id, MessageState.QUEUED, "", tried=False)
        except Exception as error:
            if begun and not self.line.harmless and not is_an_answer(error):
                text = f"{type(error).__name__}: {error}"
                self._put(message.id, MessageState.UNKNOWN, text)
                if isinstance(error, OSError):
                    self._trouble(text)
                self.line.close()
            else:
                self._refused(message, of_exception(error))
        else:
            self.answered = message.id
            self.outcomes.append(
                Outcome(message.id, MessageState.SENT, provider_id=provider_id, answered_at=self.clock())
            )
            breaker.is_well(sender=self.sender)

    def _refused(self, message: Outgoing, refused: Refusal) -> None:
        text = str(refused)
        if refused.fate in (Fate.NEVER, Fate.BAD_ADDRESS):
            self._put(message.id, MessageState.FAILED, text)
            if refused.fate is Fate.BAD_ADDRESS:
                self.bad.append((message.to, text))
            breaker.is_well(sender=self.sender)  # the server works, and says no to this one
            return
        wait = refused.wait or (LONG_PAUSE if refused.fate is Fate.POLICY else None)
        self._put(message.id, MessageState.QUEUED, text, wait=wait)
        if refused.about_server:
            self._trouble(text)
            self.line.close()

    def _trouble(self, text: str) -> None:
        self.halted = True
        breaker.in_trouble(sender=self.sender, text=text, at=self.clock())
        log.warning("sender in trouble", sender=self.sender.label, error=text, breaker=self.sender.breaker)

    def _put(
        self,
        message_id: int,
        state: MessageState,
        text: str = "",
        *,
        wait: timedelta | None = None,
        tried: bool = True,
    ) -> None:
        self.outcomes.append(Outcome(message_id, state, text, wait=wait, tried=tried))

    def _give_back(self, messages: list[Outgoing], wait: timedelta) -> None:
        """What was not tried; it does not count as an attempt."""
        for message in messages:
            self._put(message.id, MessageState.QUEUED, wait=wait, tried=False)


def limits_of(sender: Sender) -> list[Limit]:
    """The limits of speed of a sender."""
    periods = (("second", sender.per_second, 1), ("minute", sender.per_minute, 60), ("hour", sender.per_hour, 3600))
    return [Limit(f"sender:{sender.pk}:{name}", most, seconds) for name, most, seconds in periods if most]
