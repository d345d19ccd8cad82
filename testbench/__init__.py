"""Record everything a program takes from the world, once, and replay it exactly.

The layers, from the top: `_api` puts together `session` (the modes) and `recorders` (the kinds), which never see each
other; both meet at `protocol`, the waist. Below are `tape` (bytes in order), `inplace` (how functions are redirected)
and `errors`. Around them stand the surfaces: `cli`, `harness`.
"""

from testbench._api import Testbench, open_tape, record, replay, session
from testbench.errors import (
    BlobDamagedError,
    BlobMissingError,
    DivergenceError,
    ExhaustedError,
    LeftoverError,
    MismatchError,
    NotATapeError,
    RecordingError,
    RefusedError,
    StallError,
    TapeBusyError,
    TapeDamagedError,
    TapeError,
    TapeIncompleteError,
    TapeNotFoundError,
    TapeVersionError,
    TapeWriteError,
    TestbenchError,
    UnsupportedError,
    UsageError,
)
from testbench.recorders import boundary
from testbench.session import Divergence, Leak, LeakWarning, Session
from testbench.tape import Event, Finding, Raised, Returned, Tape, check, diff, recover

__all__ = [
    "BlobDamagedError",
    "BlobMissingError",
    "Divergence",
    "DivergenceError",
    "Event",
    "ExhaustedError",
    "Finding",
    "Leak",
    "LeakWarning",
    "LeftoverError",
    "MismatchError",
    "NotATapeError",
    "Raised",
    "RecordingError",
    "RefusedError",
    "Returned",
    "Session",
    "StallError",
    "Tape",
    "TapeBusyError",
    "TapeDamagedError",
    "TapeError",
    "TapeIncompleteError",
    "TapeNotFoundError",
    "TapeVersionError",
    "TapeWriteError",
    "Testbench",
    "TestbenchError",
    "UnsupportedError",
    "UsageError",
    "boundary",
    "check",
    "diff",
    "open_tape",
    "record",
    "recover",
    "replay",
    "session",
]
