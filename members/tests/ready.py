"""Importing this makes Django ready: for processes that are not pytest's own."""

import django
import pytest  # noqa: F401 - the test modules need it; here, each child is spared the import

django.setup()
