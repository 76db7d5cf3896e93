"""./crm bench [NAME...]: our code beside hand-written SQL that does the same, on the same server, in the same run."""

import importlib
import os
import pkgutil
import sys
from types import ModuleType

import django

import bench
from bench.base import Row


def benchmarks() -> dict[str, ModuleType]:
    """Every module of this folder that has a `run`, by name."""
    names = [module.name for module in pkgutil.iter_modules(bench.__path__) if not module.name.startswith("_")]
    modules = {name: importlib.import_module(f"bench.{name}") for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "run")}


def report(row: Row) -> bool:
    """Prints a row; whether it reaches what is asked of it."""
    reached = row.ratio >= row.at_least
    memory = f"{row.megabytes:7.0f}" if row.megabytes is not None else "      -"
    print(
        f"{row.name:<44} {row.rows:>10,} {row.ours:>9.4f} {row.by_hand:>9.4f} {row.ratio:>6.2f} {row.at_least:>6.2f}"
        f" {memory}  {'' if reached else 'TOO SLOW '}{row.note}",
        flush=True,
    )
    return reached


def main(names: list[str]) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty_crm.settings")
    django.setup()
    known = benchmarks()
    if unknown := set(names) - known.keys():
        print(f"bench: there is no {', '.join(sorted(unknown))}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    print("seconds are medians; ratio = SQL by hand / ours; MB = most resident memory of our process")
    print(f"{'':<44} {'rows':>10} {'ours':>9} {'by hand':>9} {'ratio':>6} {'asked':>6} {'MB':>7}", flush=True)
    url = os.environ["DATABASE_URL"]
    reached = [report(row) for name in names or known for row in known[name].run(url)]
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
