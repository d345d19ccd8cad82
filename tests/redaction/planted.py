"""Secrets to plant: made when they are asked for, so that no file of this repository holds anything like one."""

from __future__ import annotations

import base64
import hashlib
import json
from string import ascii_letters, digits

_ALPHABET = digits + ascii_letters
_HEX = "0123456789abcdef"


def noise(seed: str, size: int, alphabet: str = _ALPHABET) -> str:
    """Return text that looks random and is the same each time; there are digits in it."""
    data = b"".join(hashlib.sha512(f"{seed}{turn}".encode()).digest() for turn in range(size // 64 + 1))
    return "7" + "".join(alphabet[byte % len(alphabet)] for byte in data)[: size - 1]


def _token(start: str, size: int, alphabet: str = _ALPHABET) -> str:
    return start + noise(start, size, alphabet)


def _jwt() -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT"}, {"sub": "1234567890", "n": 1})]
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), noise("jwt", 43)])


def tokens() -> list[str]:
    """Return one token of each of 44 shapes; wherever it stands, it is known by its looks."""
    return [
        *(_token(start, 36) for start in ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")),
        "github_pat_" + noise("a", 22) + "_" + noise("b", 59),
        *("A" + start + noise(start, 16, digits + "ABCDEFGHIJKLMNOPQRSTUVWXYZ") for start in ("KIA", "SIA")),
        "xox" + "b-123456789012-1234567890123-" + noise("slack", 24),
        "xox" + "p-123456789012-1234567890123-" + noise("slack2", 32),
        "xapp-1-A012345-" + noise("xapp", 30),
        "https://hooks.slack.com/services/T0123/B0123/" + noise("hook", 24),
        *(_token(start, 24) for start in ("sk_" + "live_", "rk_" + "live_", "sk_" + "test_")),
        _token("whsec_", 32),
        _token("AI" + "za", 35),
        _token("ya29.", 60),
        _token("GOCSPX-", 28),
        *(_token(start, 20) for start in ("glpat-", "gldt-", "glrt-")),
        _token("npm_", 36),
        _token("pypi-" + "AgEIcHlwaS5vcmc", 80),
        _token("rubygems_", 48, _HEX),
        _token("dckr_pat_", 27),
        _token("sk-proj-", 48),
        _token("sk-ant-api03-", 60),
        _token("sk-", 48),
        _token("hf_", 34),
        "SG." + noise("sg", 22) + "." + noise("sg2", 43),
        _token("SK", 32, _HEX),
        _token("key-", 32, _HEX),
        _token("dop_v1_", 64, _HEX),
        _token("shpat_", 32, _HEX),
        _token("hvs.", 30),
        _token("dp.pt.", 43),
        _token("glsa_", 40),
        _token("figd_", 40),
        _jwt(),
        _token("AKC" + "p", 70),
        "712345678:" + "AA" + noise("bot", 33),
        noise("chimp", 32, _HEX) + "-us" + "12",
        "M" + noise("discord", 23) + "." + noise("d", 6) + "." + noise("e", 38),
    ]


def private_key(name: str = "RSA") -> str:
    """Return a private key as a file holds it."""
    lines = [noise(f"{name}{row}", 64) for row in range(12)]
    return "\n".join([f"-----BEGIN {name} PRIVATE KEY-----", *lines, f"-----END {name} PRIVATE KEY-----", ""])


def passwords(count: int) -> list[str]:
    """Return passwords as people make them, which only the name before them gives away."""
    return [f"{noise(f'pw{number}', 8 + number % 9)}!{number}" for number in range(count)]


def in_texts(passwords: list[str]) -> list[str]:
    """Return texts with one password each, under the names that these go by."""
    forms = (
        "DB_PASSWORD={}",
        "export API_TOKEN='{}'",
        '{{"password": "{}", "user": "me"}}',
        "password: {}",
        "aws_secret_access_key = {}",
        "postgres://admin:{}@db.example:5432/app",
        "https://user:{}@example.org/repo.git",
        "curl -H 'Authorization: Bearer {}' https://example.org",
        "X-Api-Key: {}",
        "mysql --password={} app",
        "deploy --token {} --verbose",
        "GET /v1?access_token={}&page=2 HTTP/1.1",
        "client_secret={}&grant_type=client_credentials",
        '"apiKey":"{}"',
        "machine example.org login me password {}",
        "//registry.example.org/:_authToken={}",
        "Cookie: session={}; theme=dark",
        "PGPASSWORD={} psql",
        "SECRET_KEY = '{}'",
        'secretKey: "{}"',
        "curl -s -u me:{} https://example.org",
        "mysql -h db -u root -p{} app",
        "define('DB_PASSWORD', '{}');",
        "create user me with password '{}';",
        "ALTER USER me IDENTIFIED BY '{}';",
        "sh -c 'DEPLOY_TOKEN='\"'\"'{}'\"'\"' ./deploy'",
    )
    return [forms[number % len(forms)].format(password) for number, password in enumerate(passwords)]
