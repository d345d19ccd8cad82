"""Generators of numpy: ``numpy.random.rand`` and its kin, ``RandomState``, and what ``default_rng`` gives.

They are written in C, and have dozens of methods that draw. Each method of the two types is redirected in its type, and
asks before it draws, as those of ``random`` do; the functions of the module are bound methods of a hidden
`RandomState`, and redirected as what they are, so that names bound early follow too. A `Generator` draws from a bit
generator, whose state is the one that counts. Nothing of numpy can be referred to weakly: a generator that a session
has seen lives until its end.

Not followed are bit generators that are used directly (``PCG64().random_raw()``, or from C).
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import BuiltinFunctionType, MethodType, ModuleType
from typing import Any, Final, NoReturn

from testbench.inplace import BoundMethod, Redirect, TypeSlot
from testbench.inplace._way import follows_types, miss
from testbench.protocol import Call, Plain
from testbench.recorders.randomness._generators import Generators
from testbench.recorders.randomness._pinned import Pinned

_SEEDING: Final = {"seed", "set_state", "__setstate__"}
_NOT_DRAWING: Final = {"spawn"}

_Function = Callable[..., Any]


class NumpyStates:
    """Reads and sets states of numpy; see `testbench.recorders.randomness._state.States`.

    Args:
        legacy: the type `RandomState`, which holds more than its bit generator does.
        get: ``get_state`` of that type, as it stood before.
        put: its ``set_state``.
    """

    def __init__(self, legacy: type, get: _Function, put: _Function) -> None:
        self._legacy, self._get, self._put = legacy, get, put

    def read(self, generator: Any) -> dict[str, Plain]:
        """Return the state, arrays as ``{"dtype": …, "bytes": …}``."""
        state = self._get(generator, legacy=False) if isinstance(generator, self._legacy) else generator.state
        return {name: _plain(value) for name, value in state.items()}

    def write(self, generator: Any, state: Mapping[str, Any]) -> None:
        """Bring a generator into a state."""
        lifted = {name: _lifted(value) for name, value in state.items()}
        if isinstance(generator, self._legacy):
            self._put(generator, lifted)
        else:
            generator.state = lifted


class NumpyGenerators(Generators):
    """What is known of the generators of numpy.

    Args:
        call: the waist.
        states: how states are read and set.
        pinned: makes the first state of the hidden generator while recording, or None.
        hidden: the generator behind the functions of the module.
    """

    def __init__(self, call: Call, states: NumpyStates, pinned: Pinned | None, hidden: Any) -> None:
        super().__init__(call, states, pinned, prefix="numpy_")
        self._hidden = hidden
        self._pinned_at = pinned
        self._alone = threading.RLock()  # that of numpy is not always one that a thread may take twice

    def first(self, generator: Any) -> dict[str, Plain]:
        """Return the state to begin with; only the hidden generator is known not to have been seeded by the program."""
        if self._pinned_at is None or generator is not self._hidden:
            return self.states.read(generator)
        return self.states.read(type(generator)(int.from_bytes(self._pinned_at.bytes(4), "little")))

    def share(self, generator: Any, op: str, request: Plain, effect: Callable[[], Any]) -> Any:
        """Make a draw an event: its values may be arrays of any size, so the state before goes to the tape."""
        drawn: list[Callable[[], Any]] = []

        def perform() -> Plain:
            with self._alone:
                before = self.states.read(generator)
                drawn.append(_done(effect))
            return before

        state: Any = self.call(f"{self.prefix}draw", {"method": op}, perform)
        if not drawn:
            with self._alone, self.freely(generator):
                self.lend(generator, state, "draw")
                drawn.append(_done(effect))
        return drawn[0]()


def install_numpy(call: Call, stack: ExitStack, numpy_random: ModuleType, pinned: Pinned | None) -> Generators | None:
    """Have all draws of numpy ask until the stack unwinds.

    Args:
        call: the waist.
        stack: restores everything.
        numpy_random: the module ``numpy.random``.
        pinned: makes the first state of the hidden generator while recording, or None.

    Returns:
        What is known of these generators, None where they are not followed.
    """
    if not follows_types():
        miss("numpy.random", "any line: methods of types written in C, which interception by name does not follow")
        return None
    legacy, modern = numpy_random.RandomState, numpy_random.Generator
    slots = {(owner, name): TypeSlot(owner, name) for owner in (legacy, modern) for name in _methods(owner)}
    originals = {place: slot.original for place, slot in slots.items()}
    states = NumpyStates(legacy, originals[legacy, "get_state"], originals[legacy, "set_state"])
    generators = NumpyGenerators(call, states, pinned, hidden=vars(numpy_random)["rand"].__self__)
    stack.callback(generators.restore)
    for (owner, name), slot in slots.items():
        stack.push(slot)
        slot.to(_asking(generators, slot.original, name, owner is modern))
    for name in _methods(legacy):
        _redirect_bound(stack, generators, name, vars(numpy_random).get(name))
    return generators


def _done(effect: Callable[[], Any]) -> Callable[[], Any]:
    """Draw, and return what gives the result, or raises what numpy raised: wrong arguments are no outcome of a draw."""
    try:
        result = effect()
    except Exception as error:
        return functools.partial(_raise, error)
    return lambda: result


def _raise(error: Exception) -> NoReturn:
    raise error


def _redirect_bound(stack: ExitStack, generators: Generators, name: str, bound: Any) -> None:
    """Redirect a function of the module: a bound method since numpy 2, a builtin before."""
    redirect: BoundMethod | Redirect
    if type(bound) is MethodType:
        redirect = BoundMethod(bound)
        target = _asking(generators, bound.__func__, name, False)
    elif type(bound) is BuiltinFunctionType:
        redirect = Redirect(bound)
        original = redirect.original
        asking = _asking(generators, lambda _, *args, **kwargs: original(*args, **kwargs), name, False)
        target = functools.partial(asking, bound.__self__)
    else:
        return  # written in Python: it looks the method up
    stack.push(redirect)
    redirect.to(target)


def _methods(owner: type) -> list[str]:
    """Return the names of the methods that draw, seed, or read the state."""
    public = [name for name, entry in vars(owner).items() if callable(entry) and not name.startswith("_")]
    special = [name for name in ("__getstate__", "__setstate__", "__reduce__") if name in vars(owner)]
    return [name for name in public + special if name not in _NOT_DRAWING]


def _asking(generators: Generators, original: _Function, name: str, modern: bool) -> _Function:
    """Return what takes the place of a method."""
    if name in _SEEDING:
        return functools.update_wrapper(_seeding(generators, original), original)
    drawing, draw = generators.drawing, generators.draw

    def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        source = self._bit_generator if modern else self
        if id(source) in drawing.free:
            return original(self, *args, **kwargs)
        return draw(source, name, {}, lambda: original(self, *args, **kwargs))

    return functools.update_wrapper(method, original)


def _seeding(generators: Generators, original: _Function) -> _Function:
    def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        result = original(self, *args, **kwargs)
        given = [*args, *kwargs.values()]
        source = self if type(self).__name__ != "Generator" else self._bit_generator
        generators.seeded(source, by_value=bool(given) and given[0] is not None)
        return result

    return method


def _plain(value: Any) -> Plain:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if hasattr(value, "tobytes"):
        return {"dtype": value.dtype.str, "bytes": value.tobytes()}
    return value if type(value) in (str, float) else int(value)


def _lifted(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value.keys() == {"dtype", "bytes"}:
        return sys.modules["numpy"].frombuffer(value["bytes"], value["dtype"]).copy()
    return {name: _lifted(each) for name, each in value.items()}
