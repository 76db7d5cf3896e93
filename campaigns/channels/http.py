"""A call to any provider that takes JSON: text messages, WeChat, or a system of the shop's own.

The address is resolved once and the call goes to that very address, so a name cannot point inside our own network the
second time it is asked for; redirects are not followed.
"""

import hashlib
import hmac
import http.client
import ipaddress
import json
import os
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.encoding import iri_to_uri

from campaigns.channels import Begin, Outgoing, Refusal
from campaigns.channels.answers import asked, of_status
from campaigns.models import Sender

MOST_READ = 65_536  # bytes of an answer


class HttpLine:
    """The call of a sender. Refused: 408, 425, 429 and 5xx are tried again, other 4xx never."""

    harmless = False

    def __init__(self, sender: Sender) -> None:
        self.sender = sender
        self.body = json.loads(sender.body)
        self.token, self.key = _secret(sender.token), _secret(sender.signing_key)

    def open(self) -> None:
        for name, value in ((self.sender.token, self.token), (self.sender.signing_key, self.key)):
            if name and not value:
                raise Refusal(f"the environment variable {name} is not set", about_server=True)

    def close(self) -> None:
        pass

    def send(self, message: Outgoing, begin: Begin, following: Outgoing | None = None) -> str:
        return self.call(message.uid, filled(self.body, message), begin)

    def call(self, uid: str, told: Any, begin: Callable[[], None] = lambda: None) -> str:
        """Posts `told` as JSON, signed, with `uid` as the key that stays the same at every attempt; their own id."""
        try:
            parts = urlsplit(self.sender.url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError as error:
            raise Refusal(f"the address of the call: {error}", about_server=True) from error
        address = public_address(parts.hostname or "", port)
        body = json.dumps(told, ensure_ascii=False).encode()
        headers = self._headers(uid, body, parts.netloc.rpartition("@")[2])
        target = iri_to_uri(f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}")
        connection = _Pinned(parts.hostname or "", address, parts.scheme == "https", self.sender.timeout)
        try:
            try:
                connection.connect()
                connection.putrequest("POST", target, skip_host=True)
                for name, value in headers.items():
                    connection.putheader(name, value)
            except OSError as error:
                raise Refusal(f"{type(error).__name__}: {error}", about_server=True) from error
            except (ValueError, http.client.HTTPException):  # whose words would tell the secret
                raise Refusal("the address or a secret holds what no header may hold", about_server=True) from None
            begin()
            connection.endheaders(body)
            answer = connection.getresponse()
            said = answer.read(MOST_READ).decode(errors="replace")
        finally:
            connection.close()
        if 200 <= answer.status < 300:
            return _their_id(said, self.sender.id_field)
        words = f"{answer.status} {' '.join(said.split())[:300]}"
        raise of_status(answer.status, words, asked(answer.getheader("Retry-After", "")))

    def _headers(self, uid: str, body: bytes, host: str) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Host": host, "Idempotency-Key": uid}
        headers["Content-Length"] = str(len(body))
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if self.key:
            moment = str(int(time.time()))
            signed = hmac.new(self.key.encode(), f"{uid}.{moment}.".encode() + body, hashlib.sha256)
            headers |= {"Webhook-Id": uid, "Webhook-Timestamp": moment, "X-Signature": signed.hexdigest()}
        return headers


class _Pinned(http.client.HTTPConnection):
    """A connection to an address that was looked at, under the name that it was asked for."""

    def __init__(self, name: str, address: tuple[str, int], is_tls: bool, timeout: float) -> None:
        super().__init__(name, address[1], timeout=timeout)
        self.address, self.is_tls = address, is_tls

    def connect(self) -> None:
        self.sock = socket.create_connection(self.address, self.timeout)
        if self.is_tls:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)


def public_address(host: str, port: int) -> tuple[str, int]:
    """The address of a host on the open internet. Refusal where it lies inside our own network, unless the host is
    named in the setting MESSAGE_HOSTS_INSIDE."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Refusal(f"{host} is not found: {error}", about_server=True) from error
    if host in settings.MESSAGE_HOSTS_INSIDE:
        return found[0][4][0], port  # type: ignore[return-value]
    for *_rest, (address, *_port) in found:
        read = ipaddress.ip_address(address)
        mapped = getattr(read, "ipv4_mapped", None) or read
        if not mapped.is_global or mapped.is_multicast:
            raise Refusal(f"{host} lies inside our own network", about_server=True)
    return found[0][4][0], port  # type: ignore[return-value]


def filled(body: Any, message: Outgoing) -> Any:
    """A body with its {{ places }} filled in: within its texts, so that what is filled in can never break the JSON."""
    if isinstance(body, dict):
        return {name: filled(value, message) for name, value in body.items()}
    if isinstance(body, list):
        return [filled(value, message) for value in body]
    if isinstance(body, str):
        said = {
            "to": message.to,
            "text": message.text,
            "subject": message.subject,
            "member": message.member,
            "id": message.uid,
            "unsubscribe": message.unsubscribe,
        }
        for name, value in said.items():
            if body.replace(" ", "") == f"{{{{{name}}}}}":
                return value
        pieces = body.replace("{{ ", "{{").replace(" }}", "}}").split("{{")
        out = pieces[0]
        for piece in pieces[1:]:
            name, end, rest = piece.partition("}}")
            out += said.get(name, f"{{{{{name}{end}") + rest
        return out
    return body


def _secret(name: str) -> str:
    return os.environ.get(name, "").strip() if name.startswith("MESSAGE_SECRET_") else ""  # no other secret leaves


def _their_id(said: str, field: str) -> str:
    if not field:
        return ""
    try:
        found = json.loads(said)
        for step in field.split("."):
            found = found[step]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return ""
    return str(found)[:250]
