"""English dates and times, written one way everywhere: Django's own are "Nov. 21, 2026, 1:16 p.m."."""

DATE_FORMAT = SHORT_DATE_FORMAT = "M j, Y"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "M j, Y H:i"
TIME_FORMAT = "H:i"
