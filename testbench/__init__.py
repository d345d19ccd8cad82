"""Record everything a program takes from the world, once, and replay it exactly.

The layers, from the top: `_api` puts together `sessions` (the modes) and `recorders` (the kinds), which never see each
other; both meet at `protocol`, the waist. Below are `tape` (bytes in order), `inplace` (how functions are redirected)
and `errors`. Around them stand the surfaces: `cli`, `harness`, `overlay`.

Names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from testbench._api import Testbench, open_tape, record, replay, session, verify
    from testbench._fidelity import Fidelity, fidelity
    from testbench._header import HashSeedWarning
    from testbench._opened import Tape
    from testbench._scrubbing import ScrubReport, Secret, scan, scrub
    from testbench.errors import (
        BlobDamagedError,
        BlobMissingError,
        DivergenceError,
        DriftError,
        ExhaustedError,
        LeftoverError,
        MismatchError,
        NotATapeError,
        OverlayError,
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
    from testbench.overlay import Overlay
    from testbench.recorders import boundary
    from testbench.sessions import Divergence, Leak, LeakWarning, Session
    from testbench.tape import Event, Finding, Raised, Returned, check, diff, recover

__all__ = [
    "BlobDamagedError",
    "BlobMissingError",
    "Divergence",
    "DivergenceError",
    "DriftError",
    "Event",
    "ExhaustedError",
    "Fidelity",
    "Finding",
    "HashSeedWarning",
    "Leak",
    "LeakWarning",
    "LeftoverError",
    "MismatchError",
    "NotATapeError",
    "Overlay",
    "OverlayError",
    "Raised",
    "RecordingError",
    "RefusedError",
    "Returned",
    "ScrubReport",
    "Secret",
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
    "fidelity",
    "open_tape",
    "record",
    "recover",
    "replay",
    "scan",
    "scrub",
    "session",
    "verify",
]

_HOMES = {
    "testbench._api": ("Testbench", "open_tape", "record", "replay", "session", "verify"),
    "testbench._fidelity": ("Fidelity", "fidelity"),
    "testbench._header": ("HashSeedWarning",),
    "testbench._opened": ("Tape",),
    "testbench._scrubbing": ("ScrubReport", "Secret", "scan", "scrub"),
    "testbench.overlay": ("Overlay",),
    "testbench.recorders": ("boundary",),
    "testbench.sessions": ("Divergence", "Leak", "LeakWarning", "Session"),
    "testbench.tape": ("Event", "Finding", "Raised", "Returned", "check", "diff", "recover"),
}


def __getattr__(name: str) -> Any:
    """Load a public name from its home (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module 'testbench' has no attribute {name!r}")
    home = next((home for home, names in _HOMES.items() if name in names), "testbench.errors")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value
