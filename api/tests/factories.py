import json
from typing import Any

from django.test import Client

from api.enums import Scope
from api.services.keys import create_key


class Caller:
    """A connected system: calls as a till would."""

    def __init__(self, *, source: str = "till", scopes: list[str] | None = None, per_minute: int | None = None) -> None:
        scopes = list(Scope.values) if scopes is None else scopes
        self.row, self.key = create_key(name="Till", source=source, scopes=scopes, per_minute=per_minute)
        self.client = Client(raise_request_exception=False)

    def send(self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **headers: str):
        data = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        kind = headers.pop("content_type", "application/json")
        headers.setdefault("authorization", f"Bearer {self.key}")
        return self.client.generic(method, f"/api/v1{path}", data, content_type=kind, headers=headers)

    def post(self, path: str, body: Any = None, **more: Any):
        return self.send("POST", path, body, **more)

    def get(self, path: str, **more: Any):
        return self.send("GET", path, **more)


def problem(response) -> tuple[int, str, str | None]:
    """Status, code and field of a refusal."""
    error = response.json()["error"]
    assert error["message"]
    assert error.keys() <= {"code", "message", "field", "facts"}
    return response.status_code, error["code"], error.get("field")
