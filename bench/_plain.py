"""Settings and the one view of a site that makes one query for a page and nothing else."""

from django.urls import path

from loyalty_crm.settings import *  # noqa: F403

INSTALLED_APPS: list[str] = []  # some of ours ask for middleware of theirs
MIDDLEWARE: list[str] = []
ROOT_URLCONF = "bench._plain"


def one_query(request, ref):
    from django.db import connection
    from django.http import JsonResponse

    with connection.cursor() as cursor:
        cursor.execute("SELECT member_id FROM members_identity WHERE system = 'drill' AND value = %s", [ref[4:]])
        row = cursor.fetchone()
    response = JsonResponse({"member": row[0] if row else None}, status=200 if row else 404)
    response["Content-Length"] = str(len(response.content))
    return response


urlpatterns = [path("api/v1/members/<path:ref>", one_query)]
