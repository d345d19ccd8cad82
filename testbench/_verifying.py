"""Mode ``verify``: a recording that nobody keeps, compared with the tape at its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from testbench._fidelity import MODES, Fidelity, fidelity
from testbench._shown import Shown
from testbench.errors import DriftError
from testbench.protocol import Plain
from testbench.sessions import Run


def verifying(path: Path, mode: str, record: Callable[[Path], Run]) -> Run:
    """Return the run of a session that verifies.

    Args:
        path: the tape to compare with.
        mode: what counts, see `testbench.fidelity`.
        record: begins a recording to a path.
    """
    import shutil  # modules that only this mode needs
    import tempfile

    live = Path(tempfile.mkdtemp(prefix="testbench-verify-")) / "live.tape"

    def forget() -> None:
        shutil.rmtree(live.parent)

    try:
        run = record(live)
    except BaseException:
        forget()
        raise

    def compare() -> None:
        try:
            run.keep()
            report = fidelity(path, live, mode)
        finally:
            forget()
        if not report.alike:
            shown = Shown()  # the tape may be one that was recorded without redaction
            report = attrs.evolve(report, right="", changes=[shown.change(change) for change in report.changes])
            raise DriftError(_drifted(path, report), report)

    def set_aside() -> None:
        run.set_aside()
        forget()

    return attrs.evolve(run, keep=compare, set_aside=set_aside, named="verify")


def clock_of(meta: Mapping[str, Plain]) -> dict[str, Any]:
    """Return the options, from the header of a tape, that decide how its clock and its randomness went."""
    clock, start, seed = meta.get("clock"), meta.get("start_ns"), meta.get("seed")
    found: dict[str, Any] = {}
    if clock in ("paused", "ticking"):
        found = {"clock": clock} if type(start) is not int else {"clock": clock, "start": start}
    return found if type(seed) is not int else {**found, "seed": seed}


def _drifted(path: Path, report: Fidelity) -> str:
    return (
        f"the world has changed since {path} was recorded (- on the tape, + now):\n{report}\n"
        f"If that is as it should be, record again; what counts as a difference is chosen by fidelity= (it is "
        f"{report.mode} now; {', '.join(MODES)})"
    )
