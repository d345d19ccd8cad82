"""The tape that `testbench.open_tape` gives: events in order, and what they come to."""

from __future__ import annotations

from testbench.processes import Process, processes
from testbench.tape import Tape as _Events


class Tape(_Events):
    """What `testbench.open_tape` returns: a tape that is read, never changed.

    Iterating gives every `Event` in recorded order; memory stays that of one segment and one event, however long the
    tape is, and payloads are loaded when their event is reached. A tape whose recording never finished can be read as
    well: `complete` is False, and the events are those that reached the disk.

    Iterating raises TapeDamagedError, BlobMissingError or BlobDamagedError where the tape does not hold what was
    written, with the position of the event.
    """

    def processes(self) -> list[Process]:
        """Return the child processes of the recording, in the order in which they were started.

        Each is one value, whatever ways the program used to start it, to talk with it and to wait for it.

        Raises:
            TapeDamagedError, BlobMissingError, BlobDamagedError: the tape does not hold what was written.
        """
        return list(processes(self.events(kind="process")))
