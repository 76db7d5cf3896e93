"""Callers that cost little beside what they call: one thread, a socket for each client with one request under way.
Prints how many were done, and the seconds.

python -m bench._calls PORT KEY CLIENTS SECONDS purchase|batch|member|CODE-OF-A-SURVEY MEMBERS
"""

import json
import random
import selectors
import socket
import sys
import time
from collections.abc import Callable

AT_ONCE = 1_000


def purchase(key: str, member: int) -> dict:
    lines = [
        {"sku": f"sku{member % 997}", "category": "drinks", "quantity": 2, "unit_price": "4.50"},
        {"sku": "beans", "category": "food", "unit_price": "11.00"},
    ]
    return {"key": key, "member": f"key:{member}", "currency": "EUR", "store": "Store 1", "lines": lines}


# Made once and filled in: to write the JSON of each call anew would cost more than to send it.
_PURCHASE = json.dumps(purchase("KEY", 0)).replace("key:0", "key:%d").replace("sku0", "sku%d").replace("KEY", "%s-%d")


def _told(run: str, n: int, member: int) -> str:
    return _PURCHASE % (run, n, member, member % 997)


def requests(what: str, key: str, members: int) -> Callable[[], bytes]:
    """What makes the next request, for a member by chance, under a key of its own."""
    method, path = {"member": ("GET", "/members/key:%d"), "purchase": ("POST", "/purchases")}.get(
        what, ("POST", "/purchases/batch" if what == "batch" else f"/surveys/{what}/answers")
    )
    head = f"{method} /api/v1{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
    chance, run, n = random.Random().random, f"{time.time_ns()}", 0

    def next_purchase() -> str:
        nonlocal n
        n += 1
        return _told(run, n, int(chance() * members) + 1)

    def member() -> bytes:
        return (head % (int(chance() * members) + 1, 0, "")).encode()

    def one() -> bytes:
        body = next_purchase()
        return (head % (len(body), body)).encode()

    def many() -> bytes:
        body = f'{{"purchases": [{", ".join([next_purchase() for _ in range(AT_ONCE)])}]}}'
        return (head % (len(body), body)).encode()

    def answers() -> bytes:
        nonlocal n
        n += 1
        told = ", ".join(f'"q{k}": {1 + (n + k) % 5}' for k in range(1, 10))
        body = f'{{"key": "{run}-{n}", "answers": {{{told}, "q10": "Quick and friendly, but a little loud."}}}}'
        return (head % (len(body), body)).encode()

    return {"member": member, "purchase": one, "batch": many}.get(what, answers)


def answer(connection: socket.socket) -> bytes:
    """A whole answer, its length told in its head."""
    data = connection.recv(65536)
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    start = data.index(b"\r\n\r\n") + 4
    length = start + int(data[:start].lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    if len(data) < length:
        parts, had = [data], len(data)
        while had < length:
            parts.append(connection.recv(1 << 20))
            had += len(parts[-1])
        data = b"".join(parts)
    return data


def main(port: str, key: str, clients: str, seconds: str, what: str, members: str) -> None:
    made, waiting = requests(what, key, int(members)), selectors.DefaultSelector()
    for _client in range(int(clients)):
        connection = socket.create_connection(("127.0.0.1", int(port)))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        waiting.register(connection, selectors.EVENT_READ)
    started = time.monotonic()
    until, answers, under_way = started + float(seconds), 0, 0
    for asked in waiting.get_map().values():
        asked.fileobj.sendall(made())  # type: ignore[union-attr]
        under_way += 1
    while under_way:
        for asked, _ready in waiting.select():
            said = answer(asked.fileobj)  # type: ignore[arg-type]
            if not said.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
                sys.exit(said[:600].decode(errors="replace"))
            answers += 1
            if time.monotonic() < until:
                asked.fileobj.sendall(made())  # type: ignore[union-attr]
            else:
                under_way -= 1
    print(answers * (AT_ONCE if what == "batch" else 1), time.monotonic() - started)


if __name__ == "__main__":
    main(*sys.argv[1:])
