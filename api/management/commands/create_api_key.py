"""./crm manage create_api_key NAME --scopes members:read purchases:write [--source shop]: prints the key, once."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from api.enums import Scope
from api.services.keys import create_key


class Command(BaseCommand):
    help = "Makes a key for a connected system and prints it; it cannot be shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what staff call the key: “Shop in the High Street”")
        parser.add_argument(
            "--scopes", nargs="+", required=True, metavar="SCOPE", help=f"all, or {', '.join(Scope.values)}"
        )
        parser.add_argument(
            "--source", default="shop", help="a short word for the system whose keys of calls these are"
        )
        parser.add_argument("--per-minute", type=int, help="how many calls a minute it may make at most")

    def handle(self, *args: Any, **options: Any) -> None:
        words = [word for part in options["scopes"] for word in part.split(",") if word]
        scopes = list(Scope.values) if words == ["all"] else words
        try:
            _row, key = create_key(
                name=options["name"], source=options["source"], scopes=scopes, per_minute=options["per_minute"]
            )
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        self.stdout.write(key)
