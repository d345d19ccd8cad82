"""Secrets that are known by their looks: each issuer marks its tokens by how they begin.

The beginnings and alphabets are those that the issuers publish for secret scanners, and that detect-secrets, gitleaks
and GitHub secret scanning look for.
"""

from __future__ import annotations

import re
from typing import Final

import attrs

_WORD: Final = "[A-Za-z0-9]"
_WIDE: Final = "[A-Za-z0-9_-]"
_DOTTED: Final = "[A-Za-z0-9_.=-]"
_HEX: Final = "[A-Fa-f0-9]"


@attrs.frozen
class Shape:
    """Tokens of one issuer.

    Attributes:
        name: who issues them.
        starts: how they may begin.
        body: a class of characters, which all of the rest are of.
        least: how many of these follow, at the least.
        most: and at the most; None where there is no limit.
        rest: a regular expression for what follows the start, where that is more than a number of characters.
    """

    name: str
    starts: tuple[str, ...]
    body: str
    least: int
    most: int | None = None
    rest: str = ""

    def pattern(self) -> str:
        """Return a regular expression for what follows the start, for ASCII text or bytes."""
        most = "" if self.most is None else str(self.most)
        return (self.rest or rf"{self.body}{{{self.least},{most}}}") + f"(?!{self.body})"


SHAPES: Final = (
    Shape("github", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), _WORD, 20),
    Shape("github", ("github_pat_",), "[A-Za-z0-9_]", 22),
    Shape("aws", ("AKIA", "ASIA", "ABIA", "ACCA"), "[A-Z0-9]", 16, 16),
    Shape(
        "slack", ("xoxa-", "xoxb-", "xoxe-", "xoxe.", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xapp-"), "[A-Za-z0-9.-]", 10
    ),
    Shape("slack", ("hooks.slack.com/services/", "hooks.slack.com/workflows/"), "[A-Za-z0-9_/]", 20),
    Shape("discord", ("discord.com/api/webhooks/", "discordapp.com/api/webhooks/"), "[A-Za-z0-9_/-]", 40),
    Shape("stripe", ("sk_live_", "sk_test_", "rk_live_", "rk_test_"), _WORD, 10),
    Shape("stripe", ("whsec_",), "[A-Za-z0-9+/=]", 24),
    Shape("google", ("AIza",), _WIDE, 30),
    Shape("google", ("ya29.", "GOCSPX-"), _WIDE, 20),
    Shape(
        "gitlab",
        ("glpat-", "gldt-", "glft-", "glsoat-", "glrt-", "glcbt-", "glimt-", "glptt-", "glagent-", "gloas-", "glffct-"),
        "[A-Za-z0-9_.-]",
        20,
    ),
    Shape("gitlab", ("GR1348941",), _WIDE, 20),
    Shape("npm", ("npm_",), _WORD, 30),
    Shape("pypi", ("pypi-AgE",), _WIDE, 40),
    Shape("rubygems", ("rubygems_",), _HEX, 40),
    Shape("docker", ("dckr_pat_", "dckr_oat_"), _WIDE, 20),
    Shape("openai", ("sk-proj-", "sk-svcacct-", "sk-admin-"), _WIDE, 20),
    Shape("openai", ("sk-",), _WORD, 32),
    Shape("anthropic", ("sk-ant-",), _WIDE, 20),
    Shape("huggingface", ("hf_", "api_org_"), _WORD, 30),
    Shape("replicate", ("r8_",), _WORD, 30),
    Shape("groq", ("gsk_",), _WORD, 40),
    Shape("sendgrid", ("SG.",), _DOTTED, 40),
    Shape("twilio", ("SK",), "[a-f0-9]", 32, 32),
    Shape("mailgun", ("key-",), "[a-f0-9]", 32, 32),
    Shape("digitalocean", ("dop_v1_", "doo_v1_", "dor_v1_"), "[a-f0-9]", 40),
    Shape("shopify", ("shpat_", "shpca_", "shppa_", "shpss_"), _HEX, 32),
    Shape("databricks", ("dapi",), "[a-f0-9]", 32),
    Shape("square", ("sq0atp-", "sq0csp-"), _WIDE, 20),
    Shape("hashicorp", ("hvs.", "hvb.", "hvr."), _WIDE, 20),
    Shape("doppler", ("dp.pt.", "dp.st.", "dp.ct.", "dp.sa."), "[A-Za-z0-9._-]", 20),
    Shape("age", ("AGE-SECRET-KEY-1",), "[A-Z0-9]", 50),
    Shape("postman", ("PMAK-",), "[a-f0-9-]", 50),
    Shape("newrelic", ("NRAK-", "NRJS-", "NRII-"), _WIDE, 19),
    Shape("grafana", ("glsa_", "glc_"), "[A-Za-z0-9_=+/]", 30),
    Shape("pulumi", ("pul-",), "[a-f0-9]", 40, 40),
    Shape("figma", ("figd_",), _WIDE, 30),
    Shape("linear", ("lin_api_", "lin_oauth_"), _WORD, 30),
    Shape("notion", ("ntn_", "secret_"), _WORD, 40),
    Shape("planetscale", ("pscale_tkn_", "pscale_pw_", "pscale_oauth_"), "[A-Za-z0-9_.-]", 30),
    Shape("sentry", ("sntrys_", "sntryu_"), "[A-Za-z0-9_=+/]", 30),
    Shape("supabase", ("sbp_",), "[a-f0-9]", 40),
    Shape("atlassian", ("ATATT3", "ATCTT3"), "[A-Za-z0-9_=-]", 40),
    Shape("artifactory", ("AKCp", "cmVmdGtuO"), _WORD, 50),
    Shape("jwt", ("eyJ",), "[A-Za-z0-9_.-]", 17, rest=r"[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,3}"),
)

STARTS: Final[dict[str, Shape]] = {start: shape for shape in SHAPES for start in shape.starts}

BEFORE: Final = r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrt]))"
"""A token begins a word, also where the text around it is escaped for a URL or in a literal."""

_MARKS: Final = "_-./"
_BODY: Final = "[A-Za-z0-9_.+/=-]"
"""What is in any body; the shortest has ten of them."""

TOKEN_CHARACTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.+/=-")
SHORTEST: Final = min(len(start) + shape.least for start, shape in STARTS.items())

_UNMARKED: Final = tuple(start for start in STARTS if start[-1] not in _MARKS)
LONE_STARTS: Final = tuple(start for start in _UNMARKED if start[0].islower())
"""Those that are looked for one by one."""

CAPITAL_STARTS: Final = tuple(start for start in _UNMARKED if start[0].isupper())
"""Those that are found at their first letter."""

_CAPITALS: Final = "".join(sorted({start[0] for start in CAPITAL_STARTS}))


def _at_mark(mark: str) -> str:
    starts = [start for start in STARTS if start[-1] == mark]
    letters = "".join(sorted({start[-2] for start in starts}))
    return f"(?<=[{letters}]{re.escape(mark)})(?:{'|'.join(f'(?<={re.escape(start)})' for start in starts)})"


def _at_capital(letter: str) -> str:
    starts = [start for start in CAPITAL_STARTS if start[0] == letter]
    rest = [f"{re.escape(start[1:])}{STARTS[start].body}{{{STARTS[start].least}}}" for start in starts]
    return f"(?<={letter})(?={'|'.join(rest)})"


ANCHOR: Final = (
    rf"[{_CAPITALS}_./-](?={_BODY}{{10}})(?:{'|'.join([*map(_at_capital, _CAPITALS), *map(_at_mark, _MARKS)])})"
)
"""The one character by which a token is found, in one go for nearly all: its first letter if that is one of a few
capitals, else the mark with which its start ends. It begins with a class of few characters, which is what makes a
search quick."""

LONGEST_START: Final = max(map(len, STARTS))
