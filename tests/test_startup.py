"""./crm from the outside: commands, embedded servers, what is left by kill -9, and the translation files."""

import gettext
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from loyalty_crm.management.commands.messages import catalogue_path, compile_catalogues, faults, update

PROJECT = Path(__file__).resolve().parents[1]
CURSOR = "from django.db import connection; c = connection.cursor(); "
COUNT = CURSOR + "c.execute('SELECT count(*) FROM kept'); print(c.fetchone()[0])"
KEEP = (
    CURSOR + "c.execute('CREATE TABLE IF NOT EXISTS kept (n int)'); c.execute('INSERT INTO kept VALUES (1)'); "
    "print('kept', flush=True); import time; time.sleep(60)"
)


class Copy:
    """A copy of the product with a state of its own."""

    def __init__(self, state: Path) -> None:
        self.state = state
        others = ("DATABASE_URL", "REDIS_URL", "PGHOST", "PORT", "HOST")
        self.env = {key: value for key, value in os.environ.items() if key not in others}
        self.env |= {"CRM_STATE": str(state), "PYTHONPATH": str(PROJECT)}
        self.started: list[subprocess.Popen] = []

    def start(self, *args: str, **env: str) -> subprocess.Popen:
        argv = [sys.executable, "-P", "-m", "loyalty_crm.launch", *args]
        process = subprocess.Popen(
            argv, env=self.env | env, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.started.append(process)
        return process

    def keep(self) -> subprocess.Popen:
        """A command that owns the servers, has committed a row, and stays."""
        process = self.start("manage", "shell", "-v0", "-c", KEEP)
        assert process.stdout
        assert process.stdout.readline() == "kept\n"
        return process

    def call(self, *args: str, **env: str) -> tuple[int, str, str]:
        process = self.start(*args, **env)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def count(self) -> str:
        code, out, err = self.call("manage", "shell", "-v0", "-c", COUNT)
        assert code == 0, err
        return out.strip()

    def postmaster(self) -> int:
        return int((self.state / "servers/pg18/postmaster.pid").read_text().split()[0])


@pytest.fixture
def copy():
    # Not tmp_path: root's is closed to the account that runs the servers, which would move out of it.
    state = Path(tempfile.mkdtemp(prefix="crm-test-"))
    state.chmod(0o711)
    copy = Copy(state)
    yield copy
    for process in copy.started:
        process.terminate()
    for process in copy.started:
        process.communicate(timeout=30)
    shutil.rmtree(state)


def gone(pid: int) -> bool:
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        stat = Path(f"/proc/{pid}/stat")
        if stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.1)
    return False


def test_help_names_every_command_and_needs_no_installation():
    answer = subprocess.run([PROJECT / "crm", "help"], capture_output=True, text=True, cwd="/", check=True)
    for command in ("run", "test", "verify", "bench", "manage", "help"):
        assert f"./crm {command}" in answer.stdout
    unknown = subprocess.run([PROJECT / "crm", "rnu"], capture_output=True, text=True)
    assert unknown.returncode == 2
    assert "no command 'rnu'" in unknown.stderr


def test_the_data_survives_kill_9_of_the_database_and_of_the_supervisor(copy):
    owner = copy.keep()
    os.kill(copy.postmaster(), signal.SIGKILL)
    owner.terminate()
    owner.communicate(timeout=30)

    owner = copy.keep()
    postmaster = copy.postmaster()
    owner.kill()
    assert copy.count() == "2", "the next command stops what was left behind and starts at once"
    assert gone(postmaster)


def test_the_log_of_the_database_keeps_nothing_of_a_person(copy):
    """It is no erasure's to clear, so nothing may come in: neither by statements nor by details."""
    table = (
        CURSOR + "c.execute('CREATE TABLE who (name text UNIQUE)'); c.execute('INSERT INTO who VALUES (%s)', ['Qz'])"
    )
    assert copy.call("manage", "shell", "-v0", "-c", table)[0] == 0
    again = CURSOR + "c.execute('INSERT INTO who VALUES (%s)', ['Qz'])"
    assert "already exists" in copy.call("manage", "shell", "-v0", "-c", again)[2]
    logs = "".join(path.read_text() for path in (copy.state / "servers").glob("postgres.log*"))
    assert "duplicate key value" in logs
    assert "Qz" not in logs


def test_one_owner_a_state_and_others_borrow_its_servers(copy):
    owner = copy.keep()
    assert copy.count() == "1"
    assert owner.poll() is None
    code, _, err = copy.call("run")
    assert code == 1
    assert f"./crm manage (process {owner.pid}) is using this state" in err


@pytest.mark.parametrize(
    ("port", "sentence"), [("taken", "already in use"), ("99999", "is not a port"), ("x", "is not a port")]
)
def test_a_port_that_cannot_be_used_is_said_before_anything_starts(copy, port, sentence):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1]) if port == "taken" else port
        code, out, err = copy.call("run", PORT=port)
    assert (code, out) == (1, "")
    assert sentence in err
    assert "PORT=8001 ./crm run" in err
    assert not (copy.state / "servers").exists()


@pytest.fixture
def tree(tmp_path):
    """A project of one module and one template."""
    (tmp_path / "shop/templates").mkdir(parents=True)
    (tmp_path / "shop/tests").mkdir()
    (tmp_path / "shop/__init__.py").write_text(
        "from django.utils.translation import gettext as _, ngettext, pgettext\n"
        "a = _('Hello %(name)s')\nb = ngettext('One point', '%(count)s points', 2)\nc = pgettext('month', 'May')\n"
    )
    (tmp_path / "shop/tests/test.py").write_text("_('not for members')")
    (tmp_path / "shop/templates/page.html").write_text(
        "  <p class=\"it's\">\n {% translate '20% off' %}\n   {% blocktranslate trimmed %}\n  Dear\n {{ name }}\n"
        "{% endblocktranslate %} {{ x|default:_('nothing') }} (\n"
    )
    return tmp_path


TEXTS = {
    "20%% off": "八折 20%%",
    "Dear %(name)s": "亲爱的%(name)s",
    "Hello %(name)s": "%(name)s，你好",
    "May": "五月",
    "nothing": "无",
}


def translate(tree: Path, **changes: str) -> None:
    path = catalogue_path(tree, "zh_Hans")
    text = path.read_text().replace('msgstr[0] ""', f'msgstr[0] "{changes.get("points", "%(count)s 积分")}"')
    for source, translation in TEXTS.items():
        translation = changes.get(source.split()[0], translation)
        text = text.replace(f'msgid "{source}"\nmsgstr ""', f'msgid "{source}"\nmsgstr "{translation}"')
    path.write_text(text)


def test_texts_are_extracted_checked_and_compiled_without_gettext(tree):
    assert len(faults(tree, "zh_Hans")) == 6, "all missing"
    assert update(tree, "zh_Hans") == 6
    lines = faults(tree, "zh_Hans")
    assert len(lines) == 6
    assert "untranslated: 'Dear %(name)s' (shop/templates/page.html)" in lines

    translate(tree)
    assert faults(tree, "zh_Hans") == []
    before = catalogue_path(tree, "zh_Hans").read_text()
    update(tree, "zh_Hans")
    assert catalogue_path(tree, "zh_Hans").read_text() == before, "an update changes nothing it need not"

    (compiled,) = compile_catalogues(tree)
    assert compile_catalogues(tree) == [], "what is up to date is left alone"
    with compiled.open("rb") as file:
        texts = gettext.GNUTranslations(file)
    assert texts.gettext("Hello %(name)s") == "%(name)s，你好"
    assert texts.pgettext("month", "May") == "五月"
    assert texts.ngettext("One point", "%(count)s points", 1) == "%(count)s 积分"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"Hello": "%(nme)s，你好"}, "other placeholders: 'Hello %(name)s'"),
        ({"Dear": "亲爱的"}, "other placeholders: 'Dear %(name)s'"),
        ({"points": "积分"}, "other placeholders: 'One point'"),
        ({"May": ""}, "untranslated: 'May'"),
    ],
)
def test_a_wrong_translation_is_found(tree, changes, fault):
    update(tree, "zh_Hans")
    translate(tree, **changes)
    (line,) = faults(tree, "zh_Hans")
    assert line.startswith(fault)


def test_new_lost_and_fuzzy_texts_are_found(tree):
    update(tree, "zh_Hans")
    translate(tree)
    path = catalogue_path(tree, "zh_Hans")
    path.write_text(path.read_text().replace('msgctxt "month"', '#, fuzzy\nmsgctxt "month"'))
    module = tree / "shop/__init__.py"
    module.write_text(module.read_text().replace("Hello", "Goodbye"))
    assert [line.split(" (")[0] for line in faults(tree, "zh_Hans")] == [
        "missing: 'Goodbye %(name)s'",
        "fuzzy: 'May'",
        "no longer used: 'Hello %(name)s'",
    ]
