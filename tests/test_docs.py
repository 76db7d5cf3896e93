"""The documentation is true: every variable, command and dependency stands in it, and no link leads nowhere."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
APPS = ("loyalty_crm", "portal", "api", "analytics", "campaigns", "rewards", "members")


@pytest.mark.parametrize("document", PAGES, ids=lambda document: document.name)
def test_links_lead_somewhere(document):
    targets = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", document.read_text())
    missing = [t for t in targets if "://" not in t and not (document.parent / t).exists()]
    assert missing == []


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "index.md").read_text()
    assert [p.name for p in (ROOT / "docs").glob("*.md") if p.name != "index.md" and f"({p.name})" not in index] == []


def test_every_variable_is_explained():
    settings = (ROOT / "loyalty_crm" / "settings.py").read_text()
    variables = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', settings))
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert variables
    assert [v for v in sorted(variables) if f"`{v}`" not in page] == []


def test_every_command_is_explained():
    ours = [name for name, app in get_commands().items() if app in APPS]
    text = "\n".join(page.read_text() for page in PAGES)
    assert "import_purchases" in ours
    assert [name for name in ours if f"manage {name}" not in text and f"manage.py {name}" not in text] == []


def test_every_dependency_says_why():
    page = (ROOT / "docs" / "dependencies.md").read_text().lower()
    lines = [
        line for name in ("", "-local", "-dev") for line in (ROOT / f"requirements{name}.in").read_text().split("\n")
    ]
    names = {re.split(r"[\[=<>]", line)[0].strip() for line in lines if line and not line.startswith(("#", "-r"))}
    assert [name for name in sorted(names) if name.lower() not in page] == []
