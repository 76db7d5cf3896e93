"""The CDNOW purchases (Fader and Hardie), which the wheel of `lifetimes` carries as data files.

Only the wheel is downloaded, once, and read as the zip that it is: the package and what it needs are never installed.
"""

import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from django.conf import settings

PACKAGE = "lifetimes==0.11.3"
WHEEL = "Lifetimes-0.11.3-py3-none-any.whl"
SHA256 = "261e3dc89977c2b60767ca6728aaa29d429de0c814635070a749c36555895da8"


def cdnow(name: str) -> bytes:
    """The file CDNOW_`name`.txt: "sample" is a tenth of the customers, "master" all. RuntimeError where offline."""
    with zipfile.ZipFile(_wheel()) as wheel:
        return wheel.read(f"lifetimes/datasets/CDNOW_{name}.txt")


def _wheel() -> Path:
    path = Path(settings.STATE_DIR) / "cache" / WHEEL
    if not path.exists():
        part = path.parent / f"part-{os.getpid()}"
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(part), PACKAGE]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"This test's data come with {PACKAGE}, which pip could not download:\n{done.stderr}")
        (part / WHEEL).replace(path)
        part.rmdir()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != SHA256:
        raise RuntimeError(f"{path} is not the file it was: its sha256 is {digest}")
    return path
