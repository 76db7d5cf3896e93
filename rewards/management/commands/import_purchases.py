import argparse
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.files import File
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from members.enums import DateOrder, ImportField, ImportState
from members.import_problems import FileRefused
from members.models import PurchaseImport
from members.queries import get_programme
from members.services.imports import create_import, discard, make_ready, mapping_from, read_anew, set_columns
from members.services.imports.reading import DELIMITERS, ENCODINGS
from rewards.services.purchase_import import run_import

SHOWN = 10
_MARKS = {"point": ".", "comma": ","}


class Command(BaseCommand):
    help = _("Imports a file of purchases (CSV or the like), with points. The same file again changes nothing.")

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("file", type=Path)
        add("--source", required=True, help=_("the system the file comes from; the same name each time"))
        add(
            "--map",
            action="append",
            default=[],
            metavar="FIELD=COLUMN",
            help=_("which column (name, or number from 1) holds a field: ") + ", ".join(ImportField.values),
        )
        add("--currency", help=_("of amounts without a currency; the programme's by default"))
        add("--time-zone", help=_("of times without an offset; the programme's by default"))
        add("--encoding", choices=ENCODINGS)
        add("--delimiter", choices=DELIMITERS)
        add("--header", action=argparse.BooleanOptionalAction, help=_("whether the first row names the columns"))
        add("--dates", choices=DateOrder.values, help=_("the order of day, month and year"))
        add("--decimals", choices=_MARKS, help=_("the sign before the decimals"))
        add(
            "--last-row-whole",
            action=argparse.BooleanOptionalAction,
            default=True,
            help=_("whether the last row is whole, though no line break ends it"),
        )
        add("--no-points", action="store_true", help=_("record the purchases only"))
        add("--dry-run", action="store_true", help=_("count only, change nothing"))
        add("--at", type=datetime.fromisoformat, help=_("the moment at which the import counts, by default now"))

    def handle(self, **options: Any) -> None:
        at = options["at"] or timezone.now()
        at = timezone.make_aware(at) if timezone.is_naive(at) else at
        try:
            purchase_import = self._prepare(options, at)
        except FileRefused as problem:
            raise CommandError(str(problem)) from problem
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        make_ready(import_id=purchase_import.pk, dry_run=options["dry_run"], at=at)
        try:
            done = run_import(import_id=purchase_import.pk, on_progress=self._show_progress)
        except KeyboardInterrupt:
            done = PurchaseImport.objects.get(pk=purchase_import.pk)
        self._clear_line()
        self._report(done)
        if done.state == ImportState.FAILED:
            raise CommandError(done.error_sentence)

    def _prepare(self, options: dict[str, Any], at: datetime) -> PurchaseImport:
        path: Path = options["file"]
        try:
            with path.open("rb") as opened:
                purchase_import, _look = create_import(
                    file=File(opened, name=path.name), name=path.name, source=options["source"], at=at
                )
        except OSError as error:
            sentence = _("%(file)s cannot be read: %(why)s.") % {"file": path, "why": error.strerror}
            raise CommandError(sentence) from error
        try:
            return self._set_columns(purchase_import, options)
        except (FileRefused, ValidationError):
            discard(import_id=purchase_import.pk)
            raise

    def _set_columns(self, purchase_import: PurchaseImport, options: dict[str, Any]) -> PurchaseImport:
        layout = purchase_import.layout
        if options["encoding"] or options["delimiter"] or options["header"] is not None:
            purchase_import = read_anew(
                import_id=purchase_import.pk,
                encoding=options["encoding"] or layout["encoding"],
                delimiter=DELIMITERS.get(options["delimiter"], layout["delimiter"]),
                header=layout["header"] if options["header"] is None else options["header"],
            )
            layout = purchase_import.layout
        pairs = [tuple(pair.split("=", 1)) if "=" in pair else (pair, "") for pair in options["map"]]
        # Names in the file say what a column is; without names only a person can.
        named = purchase_import.mapping if layout["header"] else {}
        chosen = mapping_from(pairs, layout["columns"])
        named = {field: column for field, column in named.items() if column not in chosen.values()}
        programme = get_programme()
        purchase_import = set_columns(
            import_id=purchase_import.pk,
            mapping={**named, **chosen},
            source=options["source"],
            currency=options["currency"] or programme.currency,
            time_zone=options["time_zone"] or programme.time_zone,
            with_points=not options["no_points"],
            date_order=options["dates"],
            decimal_mark=_MARKS.get(options["decimals"]),
            last_row_whole=options["last_row_whole"],
        )
        self._show_columns(purchase_import)
        return purchase_import

    def _show_columns(self, purchase_import: PurchaseImport) -> None:
        layout = purchase_import.layout
        names = layout["columns"]
        for field in ImportField:
            if field in purchase_import.mapping:
                column = purchase_import.mapping[field]
                self.stdout.write(f"  {field:<13} {names[column] or column + 1}")
        order = DateOrder(layout["date_order"]).label
        self.stdout.write(
            _("Read as %(encoding)s, dates as %(order)s, amounts in %(currency)s.")
            % {"encoding": layout["encoding"], "order": order, "currency": purchase_import.currency}
        )

    def _show_progress(self, purchase_import: PurchaseImport) -> None:
        if not sys.stdout.isatty():
            return
        i = purchase_import
        doing = _("Posting") if i.staged else _("Reading")
        self.stdout.write(f"\r\033[K{doing} {i.percent} %  {i.posted_rows if i.staged else i.rows:,}", ending="")
        self.stdout.flush()

    def _clear_line(self) -> None:
        if sys.stdout.isatty():
            self.stdout.write("\r\033[K", ending="")

    def _report(self, i: PurchaseImport) -> None:
        if i.dry_run:
            self.stdout.write(_("Dry run: nothing was changed. This would come in:"))
        counts = (
            (i.rows, _("rows")),
            (i.purchases, _("new purchases")),
            (i.members, _("new members")),
            (i.points, _("points given")),
            (i.repeats, _("already there")),
            (i.problems, _("bad rows")),
        )
        for count, label in counts:
            self.stdout.write(f"{count:>12,}  {label}")
        for problem in i.problem_rows.order_by("row")[:SHOWN]:
            self.stdout.write(_("Row %(row)s: %(sentence)s") % {"row": problem.row, "sentence": problem.sentence})
        if i.problems > SHOWN:
            more = i.problems - SHOWN
            self.stdout.write(ngettext("and %(n)s more", "and %(n)s more", more) % {"n": f"{more:,}"})
        if i.state == ImportState.CANCELLED:
            self.stdout.write(_("Stopped. What came in stays; the same command goes on with the rest."))
        elif i.is_open:
            self.stdout.write(_("Another worker has taken this import over."))
