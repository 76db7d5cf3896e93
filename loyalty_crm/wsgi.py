import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty_crm.settings")
application = get_wsgi_application()
# What a call makes dies with it, by its count. Looking for cycles among the objects of a batch of a thousand purchases,
# and among all that was loaded here, took a third of its time.
gc.collect()
gc.freeze()
gc.set_threshold(50_000, 20, 50)
