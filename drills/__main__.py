"""./crm drill [NAME...]: without a name, the list of drills."""

import importlib
import os
import pkgutil
import sys
import time
from types import ModuleType

import django

import drills
from drills.stage import Failed


def known() -> dict[str, ModuleType]:
    """Every module of this folder that has a `run`, by name."""
    names = [module.name for module in pkgutil.iter_modules(drills.__path__) if not module.name.startswith("_")]
    modules = {name.replace("_", "-"): importlib.import_module(f"drills.{name}") for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "run")}


def main(names: list[str]) -> int:
    found = known()
    if not names:
        for name, module in found.items():
            print(f"{name:<24} {(module.__doc__ or '').strip().splitlines()[0]}")
        return 0
    if unknown := set(names) - found.keys() - {"all"}:
        print(f"drill: there is no {', '.join(sorted(unknown))}; there are {', '.join(found)}", file=sys.stderr)
        return 2
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty_crm.settings")
    django.setup()
    failed = []
    for name in found if "all" in names else names:
        started = time.monotonic()
        print(f"{name}: {(found[name].__doc__ or '').strip().splitlines()[0]}", flush=True)
        try:
            for line in found[name].run(os.environ["DATABASE_URL"]):
                print(f"    {line}", flush=True)
        except Failed as error:
            failed.append(name)
            print(f"    FAILED: {error}", flush=True)
        else:
            print(f"    passed in {time.monotonic() - started:.1f} s", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
