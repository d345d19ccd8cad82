"""Secrets: finding them in plain values, and what stands for them. Others import all of it from here."""

from testbench.redaction._fitting import Fitting
from testbench.redaction._names import looks_secret
from testbench.redaction._options import Redact, as_values, check_redact, redactor
from testbench.redaction._placeholder import unmeasured
from testbench.redaction._redactor import Redactor, highest
from testbench.redaction._rules import Rule
from testbench.redaction._spans import Span
from testbench.redaction._streams import Piece, Streams

__all__ = [
    "Fitting",
    "Piece",
    "Redact",
    "Redactor",
    "Rule",
    "Span",
    "Streams",
    "as_values",
    "check_redact",
    "highest",
    "looks_secret",
    "redactor",
    "unmeasured",
]
