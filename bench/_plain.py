"""Settings and the one view of a site that makes one query for a page and nothing else."""

from django.urls import path

from loyalty_crm.settings import *  # noqa: F403

MIDDLEWARE: list[str] = []
ROOT_URLCONF = "bench._plain"


def one_query(request, ref):
    from django.db import connection
    from django.http import JsonResponse

    with connection.cursor() as cursor:
        cursor.execute("SELECT member_id FROM members_identity WHERE system = 'drill' AND value = %s", [ref[4:]])
        row = cursor.fetchone()
    return JsonResponse({"member": row[0] if row else None}, status=200 if row else 404)


urlpatterns = [path("api/v1/members/<path:ref>", one_query)]
