"""Callers that cost little beside what they call: sockets, each with one request under way. Prints how many were done.

python -m bench._calls PORT KEY CLIENTS SECONDS purchase|batch|member MEMBERS
"""

import json
import random
import socket
import sys
import threading
import time

AT_ONCE = 1_000


def request(method: str, path: str, key: str, body: bytes = b"") -> bytes:
    head = f"{method} /api/v1{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def purchase(key: str, member: int) -> dict:
    lines = [
        {"sku": f"sku{member % 997}", "category": "drinks", "quantity": 2, "unit_price": "4.50"},
        {"sku": "beans", "category": "food", "unit_price": "11.00"},
    ]
    return {"key": key, "member": f"key:{member}", "currency": "EUR", "store": "Store 1", "lines": lines}


def answer(connection: socket.socket) -> bytes:
    """A whole answer, its length told in its head."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(1 << 20)
    return head.split(b" ", 2)[1] + b" " + body


def main(port: str, key: str, clients: str, seconds: str, what: str, members: str) -> None:
    until, done, bad = time.monotonic() + float(seconds), [], []

    def client(number: int) -> None:
        dice, n, count = random.Random(f"{number}{time.time_ns()}"), 0, 0
        run = f"{time.time_ns()}-{number}"
        with socket.create_connection(("127.0.0.1", int(port))) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while time.monotonic() < until:
                n += 1
                if what == "member":
                    sent = request("GET", f"/members/key:{dice.randint(1, int(members))}", key)
                elif what == "purchase":
                    told = json.dumps(purchase(f"{run}-{n}", dice.randint(1, int(members)))).encode()
                    sent = request("POST", "/purchases", key, told)
                else:
                    many = [purchase(f"{run}-{n}-{i}", dice.randint(1, int(members))) for i in range(AT_ONCE)]
                    sent = request("POST", "/purchases/batch", key, json.dumps({"purchases": many}).encode())
                connection.sendall(sent)
                said = answer(connection)
                if not said.startswith((b"200", b"201")):
                    bad.append(said[:300])
                    break
                count += AT_ONCE if what == "batch" else 1
        done.append(count)

    started = time.monotonic()
    threads = [threading.Thread(target=client, args=(n,)) for n in range(int(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if bad:
        sys.exit(bad[0].decode(errors="replace"))
    print(sum(done), time.monotonic() - started)


if __name__ == "__main__":
    main(*sys.argv[1:])
