"""Whether a program that is recorded has stopped for good: all of its threads wait for each other.

It is looked for only where time stands still: elsewhere, to wait for ever may be what a program is for.
"""

from __future__ import annotations

import sys
from typing import Final

from testbench.errors import RecordingError
from testbench.inplace import real
from testbench.sessions._lanes import Lane, Lanes
from testbench.sessions._scene import scene
from testbench.signalled import is_signalled

_GRACE_NS: Final = 50_000_000
"""So long nothing must have happened, for what is between two steps to come to rest."""


class Deadlock:
    """Tells that no lane of a recording can go on any more; see `testbench.sessions._vigil.Still`.

    Args:
        lanes: the lanes.

    Attributes:
        error: what was found.
    """

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self.error: RecordingError | None = None

    def reached(self, since_ns: int) -> bool:
        """Tell whether all threads have waited since a time, for each other, without a timeout, and for nobody else."""
        if real.monotonic_ns() - since_ns < _GRACE_NS or self._lanes.loose() or is_signalled():
            return False
        lanes = [lane for _, _, lane in self._lanes.present(sys._current_frames()) if lane is not None]
        return not any(lane.waits and lane.waits[-1].timed for lane in lanes)

    def found(self, lane: Lane) -> RecordingError:
        """Return the error that tells of it, with all lanes; the same one each time.

        Args:
            lane: the one that has noticed.
        """
        if self.error is None:
            rows = [
                f"  {row['name']} waits for {row['waits_for']} at {row['where']}"
                for row in scene(self._lanes, lane.name, "")
            ]
            listed = "\n".join(rows)
            self.error = RecordingError(
                "a wait that never ends: every thread of the program waits for another one, without a timeout, and "
                f"nothing is left that could end it:\n{listed}\nLet one of them end it, or wait with a timeout; or, if "
                'somebody outside of the program does, record with clock="real" or "ticking".'
            )
        return self.error
