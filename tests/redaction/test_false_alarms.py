"""Ordinary outputs of programs hold no secrets, and none is found there."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import sysconfig
import uuid
from base64 import b64encode
from pathlib import Path

import pytest

from testbench.redaction import redactor

ROOT = Path(__file__).parents[2]
LIBRARY = Path(sysconfig.get_path("stdlib"))
COMMANDS = (
    *(f"git -C {ROOT} {rest}" for rest in ("log -40", "log --stat -20", "status", "branch -a")),
    *(f"git -C {ROOT} {rest}" for rest in ("ls-files", "ls-tree -r HEAD", "diff HEAD~1", "config --list", "help -a")),
    *(
        "ls -l /",
        "ls -lR /etc",
        "ls -l /usr/bin",
        "env -i PATH=/bin env",
        "df",
        "mount",
        "uname -a",
        "id",
        "date",
        "ps aux",
    ),
    *(
        "cat /etc/passwd",
        "cat /etc/group",
        "cat /etc/os-release",
        "cat /etc/services",
        "cat /proc/cpuinfo",
        "locale -a",
    ),
    *(
        "cat /proc/meminfo",
        "cat /proc/self/maps",
        "find /usr/include",
        "dpkg -l",
        "sha256sum /bin/ls",
        "md5sum /bin/ls",
    ),
    *(
        f"{name} --help"
        for name in ("ls", "cp", "find", "tar", "grep", "sed", "gzip", "xz", "make", "gcc", "curl", "ssh")
    ),
    *(f"{sys.executable} {rest}" for rest in ("-V", "-VV", "--help", "-m site", "-m sysconfig", "-m platform")),
    *(f"{sys.executable} -m {rest}" for rest in ("pip list", "pip --help", "pip install --help", "pip show pip")),
    *(f"{sys.executable} -m {rest}" for rest in ("pytest --help", "pytest --version", "testbench --help", "this")),
    *(f"{sys.executable} -m pydoc {name}" for name in ("subprocess", "ssl", "getpass", "hmac", "netrc", "smtplib")),
    *(f"{sys.executable} -m pydoc {name}" for name in ("argparse", "ast", "json", "urllib.request", "tokenize")),
)
SOURCES = (
    *(
        "urllib/request",
        "urllib/parse",
        "http/client",
        "http/cookies",
        "http/cookiejar",
        "asyncio/sslproto",
        "json/decoder",
    ),
    *(
        "xmlrpc/client",
        "email/_header_value_parser",
        "email/feedparser",
        "logging/handlers",
        "multiprocessing/managers",
    ),
    *("collections/__init__", "sqlite3/__init__", "unittest/mock", "concurrent/futures/thread", "asyncio/base_events"),
)


def made() -> list[bytes]:
    """Return what many programs print: identifiers, digests, encoded and random bytes."""
    rows = range(100)
    texts = [
        "\n".join(str(uuid.uuid4()) for _ in rows),
        *("\n".join(hashlib.new(name, str(row).encode()).hexdigest() for row in rows) for name in ("md5", "sha1")),
        *("\n".join(hashlib.new(name, str(row).encode()).hexdigest() for row in rows) for name in ("sha256", "sha512")),
        *("\n".join(b64encode(os.urandom(size)).decode() for _ in rows) for size in (16, 20, 32, 40, 64, 300)),
        "\n".join(f"https://example.org:8{row:03}/a/b?page={row}&sort=name#x{row}" for row in rows),
        "\n".join(f"2026-11-24T10:{row % 60:02}:00Z INFO request id={uuid.uuid4()} status=200" for row in rows),
        "\n".join(f"{row / 7:.12f} {row**9}" for row in rows),
        "\n".join(f"pkg-name_{row}==1.{row}.0 --hash=sha256:{hashlib.sha256(bytes(row)).hexdigest()}" for row in rows),
    ]
    return [*(text.encode() for text in texts), *(os.urandom(65_000) for _ in range(10))]


def outputs() -> list[tuple[str, bytes]]:
    """Return 200 ordinary outputs, as far as this machine has the programs."""
    found = [(f"made {number}", data) for number, data in enumerate(made())]
    for command in COMMANDS:
        done = subprocess.run(command.split(), capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
        found += [(command, done.stdout[:2_000_000])] if done.stdout else []
    paths = [*(LIBRARY / f"{name}.py" for name in SOURCES), *sorted(LIBRARY.glob("[a-s]*.py"))[:110]]
    return (found + [(str(path), path.read_bytes()) for path in paths])[:220]


@pytest.mark.slow
def test_false_alarms_are_at_most_one_in_a_hundred() -> None:
    """Of 200 outputs of ordinary programs, not more than two have anything in them that is taken for a secret."""
    alarms, everything = [], outputs()
    for name, data in everything:
        fresh = redactor(True)
        assert fresh is not None
        if fresh.spans(data):
            alarms.append(name)
    assert len(everything) >= 200
    assert len(alarms) <= len(everything) // 100, alarms
