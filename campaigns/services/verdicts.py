"""What a request for a picture or a link is taken for: a person, a proxy of a mail service, a scanner, or unsure.

The raw request is never changed. The rules have a version; docs/measuring.md states them.
"""

from datetime import datetime, timedelta

from django.db import transaction

from campaigns.enums import TrackKind, Verdict
from common.sql import execute, fetch_all

RULES = 2
SETTLES = timedelta(minutes=2)  # what belongs together has come by then
BATCH = 5000
OFTEN = 5  # times within a minute that no person follows a link: it stands for several, as the numbers of a survey do
# Parts of what programs call themselves, in lower case. Services that fetch pictures for their readers:
PROXIES = ("googleimageproxy", "yahoomailproxy", "yahoocachesystem", "applemail", "ggpht.com")
# Programs that look at mails before, or instead of, a person:
SCANNERS = (
    "bot/", "bot;", "googlebot", "bingbot", "+http", "crawl", "spider", "scan", "preview", "curl/", "wget/",
    "python-", "python/", "httpx", "aiohttp", "java/", "go-http-client", "okhttp", "libwww", "headless", "phantomjs",
    "barracuda", "mimecast", "proofpoint", "symantec", "cloudmark", "trendmicro", "forcepoint", "safelinks", "fortinet",
    "cisco", "sophos", "zscaler", "virustotal", "urlscan", "facebookexternal", "whatsapp", "slack", "skypeuri",
)  # fmt: skip
OFFICE = ("msoffice", "ms-office", "microsoft office")  # shows mails to people, and looks into links by itself
APPLE = "mozilla/5.0"  # all that Apple's Mail Privacy Protection says of itself


def looks_like(method: str, agent: str, kind: TrackKind) -> Verdict:
    """What a request looks like by itself. UNSURE: nothing speaks against a person."""
    said = agent.strip().lower()
    if kind is TrackKind.TRAP or method not in ("GET", ""):
        return Verdict.SCANNER
    if any(part in said for part in PROXIES):
        return Verdict.PROXY
    if said == APPLE:
        return Verdict.PROXY if kind is TrackKind.OPEN else Verdict.SCANNER
    if not said and method:
        return Verdict.SCANNER
    known = SCANNERS + (OFFICE if kind is TrackKind.CLICK else ())
    return Verdict.SCANNER if any(part in said for part in known) else Verdict.UNSURE


# The first that holds. `event` is judged; `other` are requests for the same message.
_JUDGE = """
WITH due AS (
    SELECT id FROM campaigns_trackevent WHERE rules = 0 AND at < %(before)s ORDER BY at LIMIT %(batch)s
    FOR NO KEY UPDATE SKIP LOCKED
), judged AS (
    SELECT event.id, CASE
        WHEN event.kind = 'trap' THEN 'trap'
        WHEN EXISTS (SELECT FROM campaigns_trackevent AS other
                     WHERE other.message_id = event.message_id AND other.kind = 'trap'
                       AND other.at BETWEEN event.at - interval '1 minute' AND event.at + interval '1 minute'
                       AND (other.network = nullif(event.network, '') OR other.agent = nullif(event.agent, '')))
            THEN 'trap'
        WHEN event.method NOT IN ('GET', '') THEN 'method'
        WHEN event.looks = 'proxy' THEN 'proxy'
        WHEN event.looks = 'scanner' THEN 'agent'
        WHEN event.after_seconds < 3 THEN 'early'
        WHEN event.kind = 'click' AND near.links >= 2 AND near.links >= least(3, all_of.links) THEN 'all_links'
        WHEN event.kind = 'click' AND event.times >= %(often)s THEN 'all_links'
        WHEN event.agent <> '' AND event.agent NOT ILIKE ALL (ARRAY['mozilla/%%', 'microsoft office%%', '%%mail%%'])
            THEN 'unknown'
        WHEN event.method = '' AND event.agent = '' THEN 'untold'
        ELSE 'person' END AS rule
    FROM campaigns_trackevent AS event JOIN due ON due.id = event.id
    JOIN campaigns_message AS message ON message.id = event.message_id
    CROSS JOIN LATERAL (
        SELECT count(DISTINCT other.link_id) AS links FROM campaigns_trackevent AS other
        WHERE other.message_id = event.message_id AND other.kind = 'click'
          AND other.at BETWEEN event.at - interval '10 seconds' AND event.at + interval '10 seconds'
    ) AS near
    CROSS JOIN LATERAL (
        SELECT count(*) AS links FROM campaigns_link AS link WHERE link.version_id = message.version_id
    ) AS all_of
)
UPDATE campaigns_trackevent AS event
SET rule = judged.rule, rules = %(rules)s,
    verdict = CASE judged.rule WHEN 'person' THEN 'person' WHEN 'proxy' THEN 'proxy'
                               WHEN 'unknown' THEN 'unsure' WHEN 'untold' THEN 'unsure' ELSE 'scanner' END
FROM judged WHERE judged.id = event.id
RETURNING event.message_id
"""
# Figures go by the first of a person; what a provider's word says without naming a program counts as before.
_FIRST = """
UPDATE campaigns_message AS message
SET opened_at = least(message.opened_at, first.opened), clicked_at = least(message.clicked_at, first.clicked)
FROM (SELECT message_id, min(at) FILTER (WHERE kind = 'open') AS opened,
             min(at) FILTER (WHERE kind = 'click') AS clicked
      FROM campaigns_trackevent
      WHERE message_id = ANY(%(ids)s::bigint[]) AND (verdict = 'person' OR rule = 'untold')
      GROUP BY message_id) AS first
WHERE message.id = first.message_id
  AND (message.opened_at IS DISTINCT FROM least(message.opened_at, first.opened)
       OR message.clicked_at IS DISTINCT FROM least(message.clicked_at, first.clicked))
"""


def judge(*, at: datetime, batch: int = BATCH) -> int:
    """Gives its verdict to all that came more than two minutes ago; how many. Several at once take different ones."""
    done = 0
    while True:
        with transaction.atomic():
            rows = fetch_all(_JUDGE, {"before": at - SETTLES, "batch": batch, "rules": RULES, "often": OFTEN})
            if rows:
                execute(_FIRST, {"ids": sorted({message_id for (message_id,) in rows})})
        done += len(rows)
        if len(rows) < batch:
            return done
