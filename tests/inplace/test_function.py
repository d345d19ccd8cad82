"""Redirecting builtin functions: who follows, what stays, and that restoring is exact."""

from __future__ import annotations

import _thread
import functools
import gc
import itertools
import os
import sys
import threading
import time
import weakref
from time import time_ns as early

import pytest

from testbench.errors import UnsupportedError, UsageError
from testbench.inplace import Redirect, _layout, _order, _selftest, private, real

SUBJECTS = {
    "no arguments": (os.getpid, (), {}),
    "one argument": (os.fspath, ("name",), {}),
    "a tuple": (_thread.start_new_thread, (print, ()), {}),
    "a tuple and keywords": (min, (1, 2), {"key": abs}),
    "a vector": (os.read, (0, 1), {}),
    "a vector and keywords": (os.open, ("name", 0), {"dir_fd": 3}),
}


@pytest.fixture
def redirect():
    """Give a Redirect of time.time_ns that is restored whatever happens."""
    made = Redirect(time.time_ns)
    yield made
    made.restore()


def by_default(read=time.time_ns):
    """Read the clock through a default argument."""
    return read()


class Holder:
    """Holds the clock as a class attribute."""

    read = staticmethod(time.time_ns)


HOLDERS = {
    "attribute": lambda: time.time_ns(),
    "early import": early,
    "default argument": by_default,
    "partial": functools.partial(time.time_ns),
    "class attribute": Holder.read,
    "C caller": lambda: next(iter(early, None)),
    "bound call": time.time_ns.__call__,
}


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS.keys())
def test_every_holder_follows(redirect, holder):
    """Whoever got hold of the function before sees the target while redirected, and the real clock afterwards."""
    redirect.to(lambda: 42.0)
    assert holder() == 42.0
    redirect.restore()
    assert holder() > 1e18


@pytest.mark.parametrize(("function", "args", "keywords"), SUBJECTS.values(), ids=SUBJECTS.keys())
def test_all_calling_conventions(function, args, keywords):
    """Arguments reach the target unchanged, whichever way the builtin takes them."""
    redirect = Redirect(function)
    redirect.to(lambda *args, **keywords: (args, keywords))
    try:
        assert function(*args, **keywords) == (args, keywords)
    finally:
        redirect.restore()


def test_stock_argument_check_stays(redirect):
    """A call that the builtin would refuse is refused in the usual words, before the target is reached."""
    redirect.to(lambda *args: pytest.fail("reached"))
    with pytest.raises(TypeError, match=r"time_ns\(\) takes no arguments \(1 given\)"):
        early(1)
    with pytest.raises(TypeError, match=r"time_ns\(\) takes no keyword arguments"):
        early(tz=1)


def test_the_function_is_the_same_object_with_the_same_face(redirect):
    """Name, module, docstring and signature of a redirected function are unchanged."""
    face = (early.__name__, early.__module__, early.__doc__, early.__text_signature__)
    redirect.to(lambda: 1.0)
    assert time.time_ns is early
    assert (early.__name__, early.__module__, early.__doc__, early.__text_signature__) == face


def test_exceptions_come_through(redirect):
    """What the target raises reaches the caller, and the function is none the worse for it."""
    redirect.to(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        early()
    redirect.to(lambda: 1.0)
    assert early() == 1.0


def test_original_reaches_the_real_code(redirect):
    """The target can call what it replaces."""
    redirect.to(lambda: -redirect.original())
    assert early() < -1e18


def test_iterator_is_served(redirect):
    """The bound __next__ of an iterator gives its items one by one, and its exceptions."""

    def end():
        raise LookupError("no more")
        yield

    redirect.to(itertools.chain([1.0, 2.0], end()).__next__)
    assert [early(), early()] == [1.0, 2.0]
    with pytest.raises(LookupError, match="no more"):
        early()


def test_iterator_is_served_without_a_python_frame(redirect):
    """A profiler sees no Python call when an iterator answers."""
    redirect.to(iter([1.0]).__next__)
    seen = []
    sys.setprofile(lambda frame, event, argument: seen.append(event))
    early()
    sys.setprofile(None)
    assert "call" not in seen


@pytest.mark.skipif(hasattr(sys, "gettotalrefcount"), reason="a debug build stops the process, as documented")
def test_exhausted_iterator_is_an_error_and_no_crash(redirect):
    """An iterator that ends is reported by the interpreter as a SystemError."""
    redirect.to(iter([]).__next__)
    with pytest.raises(SystemError):
        early()


def test_target_may_be_replaced_from_inside_its_own_call(redirect):
    """An iterator that redirects the function while it runs survives until its call is over."""

    def items():
        redirect.to(lambda: 2.0)
        gc.collect()
        yield 1.0

    redirect.to(itertools.chain.from_iterable([items()]).__next__)
    assert [early(), early()] == [1.0, 2.0]


def test_python_target_may_be_replaced_from_inside_its_own_call(redirect):
    """A function that restores what it stands in for ends its call in peace and is then forgotten."""

    def target():
        redirect.restore()
        gc.collect()
        return 1.0

    gone = weakref.ref(target)
    redirect.to(target)
    del target
    assert early() == 1.0
    assert early() > 1e18
    assert gone() is None


def test_nesting():
    """An inner redirect stands before the outer one; its original is the outer target, and leaving it restores that."""
    outer = Redirect(time.time_ns)
    outer.to(lambda: 1.0)
    inner = Redirect(time.time_ns)
    inner.to(lambda: inner.original() + 1)
    assert early() == 2.0
    inner.restore()
    assert early() == 1.0
    outer.restore()
    assert early() > 1e18


def test_nesting_over_an_iterator():
    """What stood there before an inner redirect may be an iterator, and goes on where it was."""
    outer = Redirect(time.time_ns)
    outer.to(iter([1.0, 2.0, 3.0]).__next__)
    inner = Redirect(time.time_ns)
    inner.to(inner.original)
    assert [early(), early()] == [1.0, 2.0]
    inner.restore()
    assert early() == 3.0
    outer.restore()


def test_out_of_order_restore_is_refused_and_harms_nothing():
    """Restoring the outer redirect first raises, changes nothing, and works once the inner one is gone."""
    outer, inner = Redirect(time.time_ns), None
    outer.to(lambda: 1.0)
    inner = Redirect(time.time_ns)
    inner.to(lambda: 2.0)
    with pytest.raises(UsageError, match=r"time\.time_ns cannot be restored now: 1 later"):
        outer.restore()
    assert early() == 2.0
    inner.restore()
    assert early() == 1.0
    outer.restore()
    assert early() > 1e18


def test_stale_redirect_is_refused(redirect):
    """A Redirect made before another one became active does not know what it would restore."""
    stale = Redirect(time.time_ns)
    redirect.to(lambda: 1.0)
    with pytest.raises(UsageError, match="right before its first use"):
        stale.to(lambda: 2.0)
    assert early() == 1.0


def test_restore_is_idempotent_and_a_redirect_can_be_used_again(redirect):
    """Restoring twice is like once, restoring what was never redirected does nothing, and to() works afterwards."""
    redirect.restore()
    redirect.to(lambda: 1.0)
    redirect.restore()
    redirect.restore()
    assert early() > 1e18
    redirect.to(lambda: 2.0)
    assert early() == 2.0


def test_restored_function_is_exactly_what_it_was(redirect):
    """Self, hash and all three words are those of before."""
    before = _layout.read(early), early.__self__, hash(early)
    redirect.to(lambda: 1.0)
    redirect.restore()
    assert (_layout.read(early), early.__self__, hash(early)) == before


@pytest.mark.parametrize("thing", [by_default, str.join, time.struct_time, functools.partial(early)])
def test_other_callables_are_refused(thing):
    """What is not a builtin function object is refused with a word on what to use."""
    with pytest.raises(UsageError, match="only builtin functions"):
        Redirect(thing)
    with pytest.raises(UsageError, match="only builtin functions"):
        private(thing)


def test_target_must_be_callable(redirect):
    """A target that cannot be called is refused at once, not at the first call."""
    with pytest.raises(UsageError, match=r"time\.time_ns cannot be redirected to 4: it is not callable"):
        redirect.to(4)
    assert early() > 1e18


def test_references_are_counted(redirect):
    """Targets, iterators and the module are held exactly as long as they are needed."""
    module = sys.getrefcount(time)

    def target():
        return 1.0

    counts = sys.getrefcount(target)
    for _ in range(100):
        redirect.to(target)
    redirect.restore()
    assert sys.getrefcount(target) == counts
    assert sys.getrefcount(time) == module


def test_the_collector_sees_the_target(redirect):
    """A target in a reference cycle stays while it is needed and is collected afterwards."""

    class Reader:
        def read(self):
            return 1.0

    reader = Reader()
    reader.read = reader.read
    gone = weakref.ref(reader)
    redirect.to(reader.read)
    assert early in gc.get_referrers(early.__self__)
    del reader
    gc.collect()
    assert early() == 1.0
    redirect.restore()
    gc.collect()
    assert gone() is None


def test_private_is_out_of_reach(redirect):
    """A private copy reaches the real code during a redirect, whether it was made before or during it."""
    before = private(time.time_ns)
    redirect.to(lambda: 1.0)
    inner = Redirect(time.time_ns)
    inner.to(lambda: 2.0)
    try:
        assert before() > 1e18
        assert private(time.time_ns)() > 1e18
        assert real.time_ns() > 1e18
    finally:
        inner.restore()


def test_private_is_immune_to_an_overwritten_definition():
    """Tools that overwrite the C function in the method definition do not reach a private copy made earlier."""
    copy = private(time.time_ns)
    definition = _layout.definition_at(_layout.read(early).definition)
    stock, other = definition.function, _layout.definition_at(_layout.read(time.monotonic).definition).function
    definition.function = other
    try:
        assert type(early()) is float
        assert type(copy()) is int
    finally:
        definition.function = stock


def test_specialised_call_sites_follow(redirect):
    """A call site that the interpreter has specialised to the builtin follows like any other."""
    fspath = Redirect(os.fspath)
    open_ = Redirect(os.open)

    def calls():
        return early(), os.fspath("real"), os.open(os.devnull, os.O_RDONLY)

    for _ in range(2000):
        real.close(calls()[2])
    redirect.to(lambda: 1.0)
    fspath.to(lambda path: 2)
    open_.to(lambda path, flags: 3)
    assert calls() == (1.0, 2, 3)
    for undo in (redirect, fspath, open_):
        undo.restore()
    now, path, fd = calls()
    real.close(fd)
    assert (now > 1e18, path) == (True, "real")


def test_a_fork_inherits_the_redirect(redirect):
    """The child of a fork sees the target, and can restore."""
    redirect.to(lambda: 1.0)
    child = os.fork()
    if not child:
        seen = early()
        redirect.restore()
        os._exit(0 if seen == 1.0 and early() > 1e18 else 1)
    assert os.waitstatus_to_exitcode(real.waitpid(child, 0)[1]) == 0


@pytest.mark.slow
def test_other_threads_never_see_half_a_redirect():
    """20,000 redirects and restores under four threads that call the function all the while."""
    stop, calls, wrong = [], [0] * 4, []

    def hammer(index):
        while not stop:
            if not early() > 1e18:
                wrong.append(index)
            calls[index] += 1

    threads = [threading.Thread(target=hammer, args=(index,)) for index in range(4)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for turn in range(20_000):
            redirect = Redirect(time.time_ns)
            target = (lambda original=redirect.original: original()) if turn % 2 else itertools.repeat(2e18).__next__
            redirect.to(target)
            redirect.restore()
    finally:
        stop.append(True)
        sys.setswitchinterval(interval)
        for thread in threads:
            thread.join()
    assert wrong == []
    assert all(calls)


def test_threads_that_redirect_at_once_do_not_corrupt():
    """Redirects from several threads either work or are refused in words, and the function is real afterwards."""
    refused = []

    def work():
        for _ in range(300):
            redirect = Redirect(time.time_ns)
            try:
                redirect.to(redirect.original)
            except UsageError as error:
                refused.append(str(error))
                continue
            while True:
                try:
                    redirect.restore()
                except UsageError as error:
                    refused.append(str(error))
                else:
                    break

    threads = [threading.Thread(target=work) for _ in range(4)]
    before = _layout.read(early)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _layout.read(early) == before
    assert all("restored now" in text or "right before" in text for text in refused)


def test_change_inside_a_change_is_refused(redirect):
    """A second change by the same thread, from a signal handler say, is refused and does not wait for itself."""
    with _order.change, pytest.raises(UsageError, match="signal handler"):
        redirect.to(lambda: 1.0)


def test_unsupported_interpreter_is_refused(monkeypatch):
    """Where the self-test fails, nothing can be redirected and no memory is touched."""
    monkeypatch.setattr(_selftest, "_reason", lambda: "this is a test")
    never_redirected = [].append
    with pytest.raises(UnsupportedError, match=r"this is a test\. Supported is CPython 3\.11 to 3\.13"):
        Redirect(never_redirected)
    with pytest.raises(UnsupportedError):
        private(never_redirected)
