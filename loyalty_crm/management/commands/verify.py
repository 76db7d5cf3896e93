from django.core.management.base import BaseCommand, CommandError

from rewards.services.verify import verify


class Command(BaseCommand):
    help = "Recompute every balance from the ledger's transfers and compare. Ends with status 1 on a difference."

    def handle(self, *args, **options) -> None:
        failed = 0
        for check, rows, difference in verify():
            self.stdout.write(f"{'OK  ' if difference is None else 'FAIL'} {check}: {rows:,} rows")
            if difference:
                failed += 1
                self.stdout.write(
                    f"     {difference.table} {difference.id}: expected {difference.expected}, "
                    f"found {difference.found} ({difference.rows:,} such rows)"
                )
        if failed:
            raise CommandError(f"The ledger does not add up: {failed} checks failed.", returncode=1)
        self.stdout.write("The ledger adds up.")
