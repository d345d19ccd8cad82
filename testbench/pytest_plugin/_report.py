"""What a failed test says of its tape: a section of its report, with one command to paste."""

from __future__ import annotations

from testbench.errors import DivergenceError
from testbench.pytest_plugin._active import Active


def describe(active: Active, test: str, error: BaseException) -> str:
    """Return the lines of the section.

    Args:
        active: the session of the test.
        test: its id.
        error: what it raised.
    """
    divergence = active.session.failure
    lines = [_fact(active)]
    if divergence is not None and divergence is not error:
        lines.append(f"The run left its tape before:\n{divergence}")
    again = "record it again" if isinstance(error, DivergenceError) or divergence is not None else "try it for real"
    lines.append(f"To {again}:  {active.command('record')}")
    return "\n".join(lines)


def _fact(active: Active) -> str:
    tape = active.tape
    if active.mode == "off":
        return f"Run for real, with nothing recorded and nothing replayed (mode off); its tape is {tape}."
    if not active.session.meta:
        return f"Nothing was replayed or recorded: the session with {tape} did not open."
    if active.mode == "replay":
        return f"Replayed from {tape}: what the test was told is what the tape says, not what the world says now."
    old = f"{tape} is as it was" if tape.exists() else f"there is still no {tape}"
    if active.mode in ("record", "splice"):
        return f"Recorded; a test that fails keeps no tape: {old}, this run is in {tape.name}.failed."
    return f"Run for real (mode {active.mode}) beside its tape: {old}."
