#!/usr/bin/env python
"""Django's command line, for ./crm manage and for production."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty_crm.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
