"""Extracts, checks and compiles the translations with Babel: GNU gettext need not be installed."""

import re
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import to_locale
from django.utils.translation.template import templatize

PROJECT = Path(__file__).resolve().parents[3]
ONE, MANY = (1,), (1, 2)
CONTEXT_ONE, CONTEXT_MANY = ((1, "c"), 2), ((1, "c"), 2, 3)
KEYWORDS: dict = {
    **dict.fromkeys(["_", "gettext", "gettext_lazy", "gettext_noop"], ONE),
    **dict.fromkeys(["ngettext", "ngettext_lazy"], MANY),
    **dict.fromkeys(["pgettext", "pgettext_lazy"], CONTEXT_ONE),
    **dict.fromkeys(["npgettext", "npgettext_lazy"], CONTEXT_MANY),
}
SKIPPED = {"tests", "migrations", "bench", "node_modules"}
# No space among the flags, which % formatting would allow: "20% sale" holds no placeholder.
POSITIONAL = re.compile(r"%[-+#0]*(?:\d+|\*)?(?:\.\d+)?[diouxXeEfFgGcrs]|\{\}")
NAMED = re.compile(r"%\(\w+\)[-+#0]*\d*(?:\.\d+)?[a-zA-Z]|\{\s*[\w.]+")
HEADER = """\
# Loyalty CRM in {language}.
msgid ""
msgstr ""
"Project-Id-Version: Loyalty CRM\\n"
"Language: {locale}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plural_forms};\\n"

"""

Key = tuple[str | None, str]  # context and (singular) source text


def forms(text) -> list[str]:
    """One text, or its singular and plural."""
    return list(text) if isinstance(text, (tuple, list)) else [text or ""]


def key(message: Message) -> Key:
    return message.context, forms(message.id)[0]


def sources(root: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file that may hold texts, with its content as Python source: code as it is, templates made into code."""
    packages = [folder.parent for folder in sorted(root.glob("*/__init__.py"))]
    for path in sorted([*root.glob("*.py"), *(found for folder in packages for found in folder.rglob("*.py"))]):
        if not SKIPPED.intersection(path.relative_to(root).parts):
            yield path, path.read_bytes()
    for folder in [root / "templates", *(package / "templates" for package in packages)]:
        for path in sorted(folder.rglob("*")):
            if path.suffix in {".html", ".txt", ".xml", ".mjml", ".svg"}:
                code = templatize(path.read_text(), origin=str(path))
                # A page's indentation is not Python's.
                yield path, "\n".join(line.lstrip() for line in code.splitlines()).encode()


def extracted(root: Path, locale: str) -> Catalog:
    """A catalogue of all texts below `root`, without translations, each with the files it stands in."""
    catalog = Catalog(locale=locale, fuzzy=False)
    for path, code in sources(root):
        place = (path.relative_to(root).as_posix(), 0)
        options = {"encoding": "utf-8"}
        found = extract("python", BytesIO(code), KEYWORDS, ["Translators:"], options, strip_comment_tags=True)
        for _line, text, comments, context in found:
            if text:
                catalog.add(text, None, [place], auto_comments=comments, context=context)
    return catalog


def catalogue_path(root: Path, locale: str) -> Path:
    return root / "locale" / locale / "LC_MESSAGES" / "django.po"


def read(path: Path, locale: str) -> Catalog:
    if not path.exists():
        return Catalog(locale=locale, fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=locale)


def update(root: Path, locale: str) -> int:
    """Brings the .po file up to date with the sources, keeping translations; returns how many texts it holds.

    Neither dates nor line numbers are written, so that the file changes only with its texts.
    """
    path, catalog = catalogue_path(root, locale), extracted(root, locale)
    known = {key(message): message for message in read(path, locale) if message.id}
    for message in catalog:
        old = known.get(key(message)) if message.id else None
        if old and len(forms(old.id)) == len(forms(message.id)):
            message.string, message.user_comments = old.string, old.user_comments
            message.flags |= old.flags & {"fuzzy"}
    body = BytesIO()
    write_po(body, catalog, omit_header=True, sort_output=True, include_lineno=False, width=120)
    name = catalog.locale.english_name if catalog.locale else locale
    header = HEADER.format(language=name, locale=locale, plural_forms=catalog.plural_forms.rstrip("; "))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(header + body.getvalue().decode().strip() + "\n")
    return len(catalog)


def placeholders(text: str) -> tuple[set[str], list[str]]:
    """The named ones, which may be used once or twice, and the positional, which count."""
    text = text.replace("%%", "")
    return {re.sub(r"\s", "", name) for name in NAMED.findall(text)}, sorted(POSITIONAL.findall(text))


def faults(root: Path, locale: str) -> list[str]:
    """What keeps this language from being complete, a line for each text."""
    wanted = {key(message): message for message in extracted(root, locale) if message.id}
    known = {key(message): message for message in read(catalogue_path(root, locale), locale) if message.id}
    lines = []
    for place, message in wanted.items():
        kept, where = known.get(place), ", ".join(name for name, _ in message.locations)
        strings, needed = forms(kept.string) if kept else [], placeholders(forms(message.id)[-1])
        if kept is None:
            fault = "missing"
        elif len(forms(kept.id)) != len(forms(message.id)):
            fault = "with and without plural"
        elif not all(strings):
            fault = "untranslated"
        elif "fuzzy" in kept.flags:
            fault = "fuzzy"
        elif any(placeholders(string) != needed for string in strings):
            fault = "other placeholders"
        else:
            continue
        lines.append(f"{fault}: {place[1]!r} ({where})")
    lines += [f"no longer used: {place[1]!r}" for place in known if place not in wanted]
    return lines


def compile_catalogues(root: Path = PROJECT) -> list[Path]:
    """Writes the .mo beside each .po that is newer; returns what was written."""
    written = []
    for source in sorted(root.glob("locale/*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime > source.stat().st_mtime:
            continue
        # Never half a file under the final name: another process may be reading it.
        with tempfile.NamedTemporaryFile(dir=source.parent, suffix=".mo.part", delete=False) as file:
            write_mo(file, read(source, source.parts[-3]))
        Path(file.name).chmod(0o644)
        Path(file.name).replace(target)
        written.append(target)
    return written


class Command(BaseCommand):
    help = "Brings the translation files up to date with the sources; or checks or compiles them."
    requires_system_checks = []

    def add_arguments(self, parser) -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--check", action="store_true", help="fail unless every text is translated")
        how.add_argument("--compile", action="store_true", help="write the .mo files that are out of date")

    def handle(self, *args, **options) -> None:
        locales = [to_locale(code) for code, _ in settings.LANGUAGES if code != settings.LANGUAGE_CODE]
        if options["compile"]:
            for path in compile_catalogues():
                self.stdout.write(f"compiled {path.relative_to(PROJECT)}")
            return
        for locale in locales:
            if not options["check"]:
                count = update(PROJECT, locale)
                self.stdout.write(f"{catalogue_path(PROJECT, locale).relative_to(PROJECT)}: {count} texts")
            elif lines := faults(PROJECT, locale):
                raise CommandError("\n".join([*lines, f"{len(lines)} faults in {locale}; see docs/start-up.md"]))
