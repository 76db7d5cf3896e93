"""A process that is killed in the middle of its work, as kill -9 leaves it."""

import importlib
import multiprocessing
import os
import signal
from collections.abc import Callable

from django.db import connection

# Never os.fork() from a test: beside the threads of a live server the child may be born with a lock that nobody holds.
_children = multiprocessing.get_context("forkserver")
# Loaded once for all children: links in mails need the URLs.
_children.set_forkserver_preload(["members.tests.ready", "loyalty_crm.urls"])


def _act(database: str, module: str, name: str, args: tuple) -> None:
    importlib.import_module("members.tests.ready")
    connection.settings_dict["NAME"] = database
    getattr(importlib.import_module(module), name)(*args)


def killed_in(act: Callable[..., object], *args: object) -> None:
    """Runs `act`, a function of a test module, in a process of its own, that has to end by its own SIGKILL.

    It sees the database of the test, and none of the test's monkeypatches: `act` makes its own.
    """
    told = (connection.settings_dict["NAME"], act.__module__, act.__name__, args)
    child = _children.Process(target=_act, args=told)
    child.start()
    child.join(60)
    if child.is_alive():
        child.kill()
        raise AssertionError(f"{act.__name__} neither ended nor died in a minute")
    assert child.exitcode == -signal.SIGKILL, child.exitcode


def kill_at_call(module: object, name: str, times: int) -> None:
    """From now on this process dies when `module.name` has done its work for the nth time."""
    whole, calls = getattr(module, name), []

    def then_die(*given: object, **values: object) -> object:
        found = whole(*given, **values)
        calls.append(1)
        if len(calls) == times:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    setattr(module, name, then_die)
