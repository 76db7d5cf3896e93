"""Files of the demo café: one of customers that came in, and one that went out."""

from datetime import datetime, timedelta

from django.core.files.base import ContentFile

from members.enums import ExportFormat, ImportMode
from members.models import PRESENT, Member, User
from members.services.exports import create_export, run_export
from members.services.imports.customers.intake import create_customer_import, make_ready, set_choices
from members.services.imports.customers.running import run_customer_import

SOURCE = "wedding fair"
# Rows as people write them: two that cannot come in, one without consent.
ROWS = """E-mail,Name,Phone,Birthday,City,Tags,Customer number,Newsletter,Consent date
lena.brandt@fair.example,Lena Brandt,030 23125020,1991-04-17,Berlin,catering,F-101,yes,2026-01-10
zhou.min@fair.example,周敏,+86 139 0000 0001,农历八月十五,上海,catering,F-102,yes,2026-01-10
paul.richter@fair.example,Paul Richter,,1987-11-02,Potsdam,catering,F-103,no,
ines.sommer@fair.example,Ines Sommer,030 23125021,1994-02-29,Berlin,catering,F-104,yes,2026-01-10
oskar.lang@fair.example,Oskar Lang,030 23125022,1979-06-30,Berlin,"catering, beans",F-105,yes,2026-01-10
oskar.lang@fair.example,Oskar Lang,,,Berlin,,F-106,no,
"""


def carry(at: datetime, staff: dict[str, User]) -> None:
    """Brings the fair's list in a week before `at`, and writes the list of Berlin the day after."""
    by, then = staff["Marketer"].pk, at - timedelta(days=7)
    content = ROWS.replace("2026-01-10", f"{then - timedelta(days=2):%Y-%m-%d}")
    made, look = create_customer_import(
        file=ContentFile(content.encode(), name="fair.csv"), name="fair.csv", source=SOURCE, at=then, actor_id=by
    )
    set_choices(
        import_id=made.pk,
        mapping=look.mapping,
        source=SOURCE,
        key=made.key,
        mode=ImportMode.BOTH,
        consent_source="sign-up sheet",
        phone_country="DE",
    )
    make_ready(import_id=made.pk, dry_run=False, at=then)
    run_customer_import(import_id=made.pk)
    job = create_export(
        members=Member.objects.filter(PRESENT, city="Berlin"),
        name="Berlin",
        columns=["card_number", "name", "email", "city", "joined_at", "tier", "points"],
        file_format=ExportFormat.XLSX,
        language="en",
        at=at - timedelta(days=6),
        actor_id=by,
    )
    run_export(export_id=job.pk)
