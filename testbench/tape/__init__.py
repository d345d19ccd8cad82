"""The tape: bytes and order, no kind and no mode. Everything outside this package imports it from here."""

from testbench.tape._event import Event, Finding, Info, KindRow, Outcome, Raised, Returned
from testbench.tape._file import TapeFile
from testbench.tape._plain import plain
from testbench.tape._reader import RawEvent, Reader
from testbench.tape._writer import Writer

__all__ = [
    "Event",
    "Finding",
    "Info",
    "KindRow",
    "Outcome",
    "Raised",
    "RawEvent",
    "Reader",
    "Returned",
    "TapeFile",
    "Writer",
    "plain",
]
