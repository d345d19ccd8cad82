"""The kind ``random``: bytes of the operating system, and the generators of ``random``.

Bytes are crossings: ``urandom``, ``getrandom`` (`_bytes`), and with them ``secrets``,
``SystemRandom``, ``uuid.uuid4``, and the seeds that numpy makes for itself. Of a generator its state is asked, once, at
the first draw (`_generators`), whatever it was before: ``random.random()`` and its kin,
``random.Random()``, names of ``tempfile`` (`_names`); and of those of numpy (`_numpy`). A program that
draws nothing leaves nothing on its tape.

Functions of C libraries called by ``ctypes`` are leaks. Not reached are generators written in C by others, and C code
that asks the operating system itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Final

from testbench.inplace import UndoStack
from testbench.protocol import Call, Matcher
from testbench.recorders._foreign import leaking, watch
from testbench.recorders._imports import Importing, when_imported
from testbench.recorders._marked import BEFORE_MARKED
from testbench.recorders.randomness._bytes import MATCHERS, install_bytes
from testbench.recorders.randomness._generators import Generators
from testbench.recorders.randomness._methods import Slots, install_methods
from testbench.recorders.randomness._names import NAMES, TAKEN, install_names
from testbench.recorders.randomness._numpy import install_numpy
from testbench.recorders.randomness._pinned import Pinned
from testbench.recorders.randomness._state import States
from testbench.recorders.randomness._threads import before_each_thread

_C_FUNCTIONS: Final = (
    *("arc4random", "arc4random_buf", "arc4random_uniform", "drand48", "getentropy", "getrandom", "lrand48", "mrand48"),
    *("RAND_bytes", "RAND_priv_bytes", "rand", "random", "uuid_generate", "uuid_generate_random", "uuid_generate_time"),
)
"""Functions of C libraries that are leaks where the program calls them by ``ctypes``."""


class Randomness:
    """The recorder of kind ``random``.

    Args:
        seed: while recording, draw from this instead of the operating system; None to draw real randomness.
        version: what its events mean, 1 for tapes of old; since 2 that does not depend on when ``tempfile`` makes the
            generator of its names.
    """

    kind = "random"
    matchers: Mapping[str, Matcher] = MATCHERS
    facts = frozenset((NAMES, TAKEN))

    def __init__(self, seed: int | None = None, version: int = 2) -> None:
        self._seed = seed
        self.version = version

    @contextmanager
    def install(self, call: Call) -> Iterator[None]:
        """Send every request for randomness through ``call``; see `testbench.protocol.Recorder`.

        Raises:
            UnsupportedError: functions cannot be redirected on this interpreter.
        """
        pinned = None if self._seed is None else Pinned(self._seed)
        importing = Importing()
        with UndoStack() as stack:
            install_bytes(call, stack, pinned, importing)
            watch(stack, leaking(call, "c_function", _C_FUNCTIONS))
            slots = Slots(stack)
            states = States(slots.original("getstate"), slots.original("setstate"))
            generators = Generators(call, states, pinned, names_shared=self.version > 1)
            stack.callback(generators.restore)
            install_methods(slots, generators, stack)
            families = [generators]

            def numpy_is_there(numpy_random: ModuleType) -> None:
                family = install_numpy(call, stack, numpy_random, pinned)
                if family is not None:
                    family.threads = generators.threads
                    families.append(family)

            when_imported("numpy.random", stack, importing, numpy_is_there)
            when_imported("tempfile", stack, importing, lambda tempfile: install_names(call, stack, tempfile))
            _follow(families, stack)
            yield


def _follow(families: list[Generators], stack: ExitStack) -> None:
    """Tell all generators of threads and of marked functions."""

    def before_thread() -> None:
        for family in families:
            family.before_thread()

    def before_marked() -> None:
        for family in families:
            family.before_marked()

    before_each_thread(stack, before_thread)
    BEFORE_MARKED.append(before_marked)
    stack.callback(BEFORE_MARKED.remove, before_marked)
