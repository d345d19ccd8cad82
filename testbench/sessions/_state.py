"""Whether a recording goes on: it may have ended, or have broken, which the program and the session are told once."""

from __future__ import annotations

from collections.abc import Callable

from testbench.errors import RecordingError, TestbenchError


class State:
    """The state of one recording.

    Args:
        stop: called once, when it breaks.

    Attributes:
        finished: the session is over.
        broken: why the tape is given up; the program goes on unrecorded, and the end of the session says why.
        told: whether the program has seen that.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self.finished = False
        self.broken: TestbenchError | None = None
        self.told = False
        self._stop = stop

    def is_idle(self) -> bool:
        """Tell whether nothing is recorded any more."""
        return self.finished or self.broken is not None

    def is_off(self) -> bool:
        """Tell whether nothing is recorded any more; raise what broke the tape if the program has not seen that yet."""
        if self.finished or self.broken is None:
            return self.finished
        if not self.told:
            self.told = True
            raise self.broken
        return True

    def passes(self) -> bool:
        """Tell whether all goes straight through: what nobody was told yet, a crossing must still raise."""
        return self.finished or (self.broken is not None and self.told)

    def broke(self, reason: BaseException, where: str, *, told: bool = True) -> None:
        """Give the tape up.

        Args:
            reason: what was raised.
            where: by what, for the message.
            told: whether the program sees it, since it is raised there.
        """
        if self.broken is not None:
            return
        self.broken, self.told = _as_ours(reason, where), told
        self._stop()


def _as_ours(reason: BaseException, where: str) -> TestbenchError:
    if isinstance(reason, TestbenchError):
        return reason
    told = f"{type(reason).__name__}: {reason}" if str(reason) else type(reason).__name__
    broken = RecordingError(
        f"the recording broke in {where}: {told}. That is no outcome that a tape can hold, so nothing after it "
        "was recorded and the tape was not kept as a good one; what came before is in the .failed file."
    )
    broken.__cause__ = reason
    return broken
