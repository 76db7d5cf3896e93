"""python -m loyalty_crm.launch COMMAND: what ./crm hands over to."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from loyalty_crm.launch import gate, run, supervisor
from loyalty_crm.launch.servers import Busy, Servers, State, answers
from loyalty_crm.launch.supervisor import PROJECT, Family, StartError, Stopped, listen, pause, say, wait_until

DAY = 86_400  # seconds
MANAGE = [sys.executable, str(PROJECT / "manage.py")]


def state_folder() -> Path:
    return Path(os.environ.get("CRM_STATE") or PROJECT / ".local")


def trial_env(state: State) -> dict[str, str]:
    """What a copy on its own servers runs with where the environment does not say otherwise; production says it all."""
    host, port = run.address()
    return {
        "SECRET_KEY": state.secret("secret_key"),
        "ALLOWED_HOSTS": ",".join(dict.fromkeys(["localhost", "127.0.0.1", "[::1]", run.visible(host)])),
        "SITE_URL": f"http://{run.visible(host)}:{port}",
        "REQUIRE_STAFF_MFA": "off",
    }


def merged(state: State, env: dict[str, str]) -> dict[str, str]:
    """`env`, but what the user set stays; only PATH, which `env` extends, and the state's folder are ours to say."""
    ours = {"CRM_STATE": str(state.folder)} | {key: env[key] for key in ("PATH",) if key in env}
    return env | dict(os.environ) | ours


@contextlib.contextmanager
def serving(state: State, *, quiet: bool = False, **options: bool) -> Iterator[tuple[Family, dict[str, str]]]:
    """The environment with servers that live as long as the block, and their family. The state must be locked."""
    family = Family(state.processes)
    try:
        env = {} if os.environ.get("DATABASE_URL") or os.environ.get("REDIS_URL") else trial_env(state)
        if not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
            servers = Servers(state, family, **options)
            env |= servers.start()
            if not quiet:
                for line in servers.ready:
                    say(line)
        state.publish(env)
        yield family, merged(state, env)
    finally:
        state.connection.unlink(missing_ok=True)
        family.stop()


def become(argv: list[str], env: dict[str, str]) -> NoReturn:
    os.execve(argv[0], argv, env)  # noqa: S606  no shell: the arguments stay as they are


def foreground(argv: list[str], env: dict[str, str], family: Family) -> int:
    """Runs a command in this terminal and returns its exit code; Ctrl-C is its own affair."""
    process = subprocess.Popen(argv, env=env)
    family.watch(process)
    old = {
        number: signal.signal(number, lambda number, _: process.send_signal(number))
        for number in (signal.SIGTERM, signal.SIGHUP)
    }
    old[signal.SIGINT] = signal.signal(signal.SIGINT, lambda *_: None)
    code = process.wait()
    family.release(process)
    for number, handler in old.items():
        signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def borrowed(state: State) -> dict[str, str] | None:
    """The environment of the servers another command of this state runs, held until this process ends; or None."""
    file = state.users(fcntl.LOCK_SH)
    if file is None:  # they are being stopped
        return None
    env = state.published()
    if env is None or not answers(merged(state, env)):
        os.close(file)
        return None
    os.set_inheritable(file, True)  # the lock outlives execve
    return env


def manage(args: list[str], name: str = "manage") -> int:
    """A management command: on the servers of a running ./crm, or on servers started for it."""
    supervisor.output = sys.stderr  # standard output belongs to the command
    state, argv = State(state_folder()), [*MANAGE, *args]
    if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"):
        become(argv, merged(state, {}))
    started, told = time.monotonic(), False
    while True:
        try:
            with state.lock(name), serving(state, quiet=True) as (family, env):
                code = foreground(argv, env, family)
                wait_until(
                    lambda: state.users(fcntl.LOCK_EX) is not None, "waiting for other commands on these servers", DAY
                )
                return code
        except Busy as busy:
            holder = busy.args[0]
        if found := borrowed(state):
            become(argv, merged(state, found))
        if time.monotonic() - started > 120:
            raise StartError(f"{holder} holds this state, but its servers do not answer. Stop it and try again.")
        if time.monotonic() - started > 2 and not told:
            told = True
            say(f"waiting for the servers of {holder}")
        pause(0.2)


def start(args: list[str]) -> int:
    """./crm run"""
    state, (host, port) = State(state_folder()), run.address()
    with state.lock("run"):
        run.require_free(host, port)
        with serving(state) as (family, env):
            return run.supervise(family, env)


def test(args: list[str]) -> int:
    """./crm test: servers and data of its own, new each time."""
    State(state_folder())
    state = State(state_folder() / "test")
    for name in gate.NOT_OURS:
        os.environ.pop(name, None)
    os.environ |= trial_env(state) | gate.SETTINGS
    with state.lock("test"), serving(state, fresh=True, durable=False) as (_, env):
        return gate.check(args, env)


def bench(args: list[str]) -> int:
    """./crm bench: durable servers and data of its own, new each time, so that nothing of the user's is in its way."""
    State(state_folder())
    state = State(state_folder() / "bench")
    with state.lock("bench"), serving(state, fresh=True) as (family, env):
        return foreground([sys.executable, "-m", "bench", *args], env, family)


def drill(args: list[str]) -> int:
    """./crm drill: durable servers and data of its own, as a bench; the list of drills needs none."""
    argv = [sys.executable, "-m", "drills", *args]
    if not args:
        return subprocess.run(argv).returncode
    State(state_folder())
    state = State(state_folder() / "drill")
    with state.lock("drill"), serving(state, fresh=True) as (family, env):
        return foreground(argv, env, family)


COMMANDS = {
    "run": start,
    "test": test,
    "bench": bench,
    "drill": drill,
    "manage": manage,
    "verify": lambda args: manage(["verify", *args], "verify"),
}


def main(argv: list[str]) -> int:
    command, *args = argv
    listen()
    try:
        return COMMANDS[command](args)
    except Busy as busy:
        sentence = f"{busy.args[0]} is using this state. Stop it first, or set CRM_STATE to another folder."
    except StartError as error:
        sentence = str(error)
    except Stopped as stopped:
        return 128 + stopped.args[0]
    print(f"crm: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
