"""The tape: bytes and order, no kind and no mode. Everything outside this package imports it from here."""

from testbench.tape._check import check
from testbench.tape._diff import Change, diff
from testbench.tape._event import Event, Finding, Info, KindRow, Outcome, Raised, Returned
from testbench.tape._file import TapeFile
from testbench.tape._plain import plain
from testbench.tape._raw import RawEvent
from testbench.tape._reader import Reader
from testbench.tape._recover import RecoverReport, recover
from testbench.tape._view import Tape, make_event
from testbench.tape._writer import Writer

__all__ = [
    "Change",
    "Event",
    "Finding",
    "Info",
    "KindRow",
    "Outcome",
    "Raised",
    "RawEvent",
    "Reader",
    "RecoverReport",
    "Returned",
    "Tape",
    "TapeFile",
    "Writer",
    "check",
    "diff",
    "make_event",
    "plain",
    "recover",
]
