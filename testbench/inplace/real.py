"""The real clocks, locks and I/O, for our own use: no redirect reaches these, whoever made it and whenever.

They are made when this module is first imported. Where functions cannot be redirected at all, nothing needs
protection and the plain functions stand here, so that tapes can be read on any interpreter.
"""

from __future__ import annotations

import _locale
import _signal  # type: ignore[import-not-found]
import _thread
import fcntl as _fcntl
import os as _os
import select as _select
import time as _time
from typing import Final

from testbench.errors import UnsupportedError
from testbench.inplace._function import AnyFunction
from testbench.inplace._function import private as _private


def _real(function: AnyFunction) -> AnyFunction:
    try:
        return _private(function)
    except UnsupportedError:
        return function


time: Final = _real(_time.time)
time_ns: Final = _real(_time.time_ns)
monotonic: Final = _real(_time.monotonic)
monotonic_ns: Final = _real(_time.monotonic_ns)
perf_counter: Final = _real(_time.perf_counter)
perf_counter_ns: Final = _real(_time.perf_counter_ns)
clock_gettime_ns: Final = _real(_time.clock_gettime_ns)
sleep: Final = _real(_time.sleep)

get_ident: Final = _real(_thread.get_ident)
start_new_thread: Final = _real(_thread.start_new_thread)
allocate_lock: Final = _real(_thread.allocate_lock)
acquire: Final = _thread.LockType.acquire
"""``acquire(lock, True, seconds)``: the method itself, which redirecting it in its type does not reach."""
release: Final = _thread.LockType.release
locked: Final = _thread.LockType.locked


class Mutex(_thread.RLock):  # type: ignore[misc]  # final in the stubs only
    """A lock of our own; its methods are those that stood in the type when this was loaded."""

    __slots__ = ()
    acquire = _thread.RLock.acquire
    release = _thread.RLock.release
    __enter__ = _thread.RLock.__enter__
    __exit__ = _thread.RLock.__exit__


def closed_gate() -> _thread.LockType:
    """Return a lock that is held, so that whoever acquires it waits until it is opened."""
    gate = allocate_lock()
    acquire(gate)
    return gate


def open_gate(gate: _thread.LockType) -> None:
    """Let whoever waits at a gate go on; it may be open already."""
    if locked(gate):
        release(gate)


access: Final = _real(_os.access)
chdir: Final = _real(_os.chdir)
chmod: Final = _real(_os.chmod)
close: Final = _real(_os.close)
dup: Final = _real(_os.dup)
dup2: Final = _real(_os.dup2)
exit_at_once: Final = _real(_os._exit)
fchmod: Final = _real(_os.fchmod)
fsync: Final = _real(_os.fsync)
fstat: Final = _real(_os.fstat)
ftruncate: Final = _real(_os.ftruncate)
getcwd: Final = _real(_os.getcwd)
getcwdb: Final = _real(_os.getcwdb)
getxattr: Final = _real(_os.getxattr)
getpid: Final = _real(_os.getpid)
getppid: Final = _real(_os.getppid)
kill: Final = _real(_os.kill)
link: Final = _real(_os.link)
listdir: Final = _real(_os.listdir)
listxattr: Final = _real(_os.listxattr)
lseek: Final = _real(_os.lseek)
lstat: Final = _real(_os.lstat)
mkdir: Final = _real(_os.mkdir)
mknod: Final = _real(_os.mknod)
open: Final = _real(_os.open)
pipe: Final = _real(_os.pipe)
posix_spawn: Final = _real(_os.posix_spawn)
pread: Final = _real(_os.pread)
pwrite: Final = _real(_os.pwrite)
read: Final = _real(_os.read)
readlink: Final = _real(_os.readlink)
rename: Final = _real(_os.rename)
replace: Final = _real(_os.replace)
rmdir: Final = _real(_os.rmdir)
scandir: Final = _real(_os.scandir)
set_signal: Final = _real(_signal.signal)
set_wakeup_fd: Final = _real(_signal.set_wakeup_fd)
setitimer: Final = _real(_signal.setitimer)
getitimer: Final = _real(_signal.getitimer)
sigmask: Final = _real(_signal.pthread_sigmask)
stat: Final = _real(_os.stat)
setxattr: Final = _real(_os.setxattr)
symlink: Final = _real(_os.symlink)
unlink: Final = _real(_os.unlink)
urandom: Final = _real(_os.urandom)
waitid: Final = _real(_os.waitid)
utime: Final = _real(_os.utime)
waitpid: Final = _real(_os.waitpid)
write: Final = _real(_os.write)

setlocale: Final = _real(_locale.setlocale)

flock: Final = _real(_fcntl.flock)
ioctl: Final = _real(_fcntl.ioctl)

_new_poll: Final = _real(_select.poll)
_poll_register: Final = type(_select.poll()).register
_poll: Final = type(_select.poll()).poll


def wait_ready(fd: int, events: int, timeout_ms: int | None = None) -> bool:
    """Wait until a descriptor is ready for ``events`` (bits of ``poll(2)``); False when the time runs out first."""
    poll = _new_poll()
    _poll_register(poll, fd, events)
    return bool(_poll(poll, timeout_ms))


APART: Final = 600
"""Descriptors of ours begin here: those of the program get the numbers that they would get without us."""


def apart(fd: int) -> int:
    """Return a duplicate of a descriptor, out of the way of the program's; children do not inherit it."""
    try:
        return _fcntl.fcntl(fd, _fcntl.F_DUPFD_CLOEXEC, APART)
    except OSError:
        return _fcntl.fcntl(fd, _fcntl.F_DUPFD_CLOEXEC, 3)  # the process may not have so many


def dup_to(fd: int, wanted: int) -> bool:
    """Duplicate a descriptor to a number, unless that is taken; tell whether it was free.

    Unlike ``dup2`` this takes nobody's file away, not even one that another thread has opened in this moment.
    """
    try:
        found = _fcntl.fcntl(fd, _fcntl.F_DUPFD_CLOEXEC, wanted)
    except (OSError, OverflowError):
        return False  # the limit for descriptors is lower
    if found != wanted:
        close(found)
    return found == wanted


def aside(fd: int) -> int:
    """Move a descriptor out of the way of the program's; locks on the open file stay."""
    try:
        return apart(fd)
    finally:
        close(fd)
