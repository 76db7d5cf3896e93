"""Log lines: readable in a terminal (or with LOG_FORMAT=console), JSON by structlog elsewhere."""

import logging
import os
import re
import sys
from typing import Any

import structlog

shared: list = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
structlog.configure(
    processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
# Databases and mail servers quote what they refuse: `Key (email)=(anna@example.com) already exists`. A log is kept
# longer than people are, so that addresses and phone numbers never come into it.
_ADDRESS = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(r"\+\d{7,15}\b")
# Nor what opens something: keys of systems, and what stands in addresses, for a refused call is told by its address:
# coupon codes, tokens of links, what was searched for.
_KEY = re.compile(r"\bcrm_[\w-]{20,}")
_CODE = re.compile(r"(?<=/coupons/)[^/\s\"']+(?=/(?:validate|redeem|release)\b)")
_TOKEN = re.compile(r"(?<=/)(?=[\w:-]*[0-9A-Z])[\w:-]{20,}(?![\w:-]|\.\w)")
_QUERY = re.compile(r"(<WSGIRequest: \w+ '[^'?]*\?)[^']*")
_QUOTED = re.compile(r"(Key \(.*?\)=)\(.*?\)(?= )|(Failing row contains )\(.*\)")


def mask(line: str) -> str:
    """A line without e-mail addresses, phone numbers, keys, codes, tokens, and the values that PostgreSQL quotes."""
    line = _QUERY.sub(r"\1…", _TOKEN.sub("<token>", _CODE.sub("<code>", _KEY.sub("<key>", line))))
    line = _QUOTED.sub(lambda found: f"{found[1] or found[2]}(…)", line)
    return _PHONE.sub("<phone>", _ADDRESS.sub("<address>", line))


def mask_line(logger: Any, method: str, line: str) -> str:
    """The last processor of a log line: see `mask`."""
    return mask(line)


def without_refusals(record: logging.LogRecord) -> bool:
    """Who may not see a page is a line in the log, not a traceback."""
    if getattr(record, "status_code", None) == 403:
        record.exc_info = None
    return True


_colors = sys.stderr.isatty()
_renderers = (
    [structlog.dev.ConsoleRenderer(colors=_colors, exception_formatter=structlog.dev.plain_traceback)]
    if os.environ.get("LOG_FORMAT", "console" if _colors else "json") == "console"
    else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "structured": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": [*shared, structlog.stdlib.ExtraAdder()],
            "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers, mask_line],
        }
    },
    "filters": {"refusals": {"()": "django.utils.log.CallbackFilter", "callback": without_refusals}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "structured", "filters": ["refusals"]}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": ["console"], "level": "INFO", "propagate": False},
        "django.server": {"handlers": ["console"], "level": "WARNING", "propagate": False},
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
    },
}
