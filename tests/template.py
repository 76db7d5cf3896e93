"""The migrated database that each worker of the tests copies, so that only one has to migrate.

python -m tests.template make|drop; tests.settings copies it where TEST_TEMPLATE says its name.
"""

import os
import sys

import django
from django.db import connection

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    name = os.environ["TEST_TEMPLATE"]
    django.setup()
    connection.settings_dict["TEST"] |= {"NAME": name, "TEMPLATE": None}
    if sys.argv[1] == "make":
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        connection.close()
    else:
        with connection.creation._nodb_cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {connection.ops.quote_name(name)}")
