"""Takes from this process, for good, the ability to start another one; its threads can still be started."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import platform
import signal
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

REAL = {"os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.system"}
"""Audit events of CPython that are raised where a process is really started; ``subprocess.Popen`` comes earlier."""


class Machine(NamedTuple):
    """Numbers of <asm/unistd.h> and <linux/audit.h>."""

    arch: int
    clone: int
    clone3: int
    seccomp: int
    starts: tuple[int, ...]  # fork, vfork, execve, execveat


MACHINES = {
    "x86_64": Machine(arch=0xC000003E, clone=56, clone3=435, seccomp=317, starts=(57, 58, 59, 322)),
    "aarch64": Machine(arch=0xC00000B7, clone=220, clone3=435, seccomp=277, starts=(221, 281)),
}

# <linux/bpf_common.h>, <linux/seccomp.h>, <linux/prctl.h>, <linux/sched.h>
LOAD, JUMP_IF_EQUAL, JUMP_IF_SET, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, TRAP, FAIL = 0x7FFF0000, 0x00030000, 0x00050000
NUMBER_AT, ARCH_AT, FIRST_ARGUMENT_AT = 0, 4, 16
PR_SET_NO_NEW_PRIVS, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC = 38, 1, 1
CLONE_THREAD, ENOSYS = 0x10000, 38


class Instruction(ctypes.Structure):
    """``struct sock_filter``."""

    _fields_ = (("code", ctypes.c_ushort), ("yes", ctypes.c_ubyte), ("no", ctypes.c_ubyte), ("k", ctypes.c_uint))


class Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.POINTER(Instruction)))


def enter(tell: Callable[[str], None]) -> None:
    """Let every attempt to start a process kill this one, after ``tell`` was told what it was, where that can be known.

    Raises:
        OSError: the kernel refuses the filter.
        LookupError: the system calls of this machine are not known here.
    """
    faulthandler.register(signal.SIGSYS, file=sys.__stderr__, chain=True)
    _filter_system_calls()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in REAL:
            _die(tell, f"{event}{arguments!r}")

    sys.addaudithook(hook)


def _die(tell: Callable[[str], None], what: str) -> NoReturn:
    """End with a dump of where this happened (the fault handler's)."""
    tell(what)
    os.abort()


def _filter_system_calls() -> None:
    machine = MACHINES.get(platform.machine())
    if machine is None:
        raise LookupError(f"no system calls are listed for {platform.machine()}; known are {', '.join(MACHINES)}")
    code = _instructions(machine)
    program = Program(len(code), (Instruction * len(code))(*code))
    libc = ctypes.CDLL(None, use_errno=True)
    filtered = (SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, ctypes.byref(program))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.syscall(machine.seccomp, *filtered):
        raise OSError(ctypes.get_errno(), "this kernel refuses to keep a process from starting others")


def _instructions(machine: Machine) -> list[tuple[int, int, int, int]]:
    """Return the filter: as (code, instructions to skip if so, and if not, operand)."""
    code = [
        (LOAD, 0, 0, ARCH_AT),
        (JUMP_IF_EQUAL, 1, 0, machine.arch),
        (RETURN, 0, 0, TRAP),
        (LOAD, 0, 0, NUMBER_AT),
        (
            JUMP_IF_EQUAL,
            0,
            1,
            machine.clone3,
        ),  # its flags are in memory, out of reach; libc then starts threads by clone
        (RETURN, 0, 0, FAIL | ENOSYS),
    ]
    for number in machine.starts:
        code += [(JUMP_IF_EQUAL, 0, 1, number), (RETURN, 0, 0, TRAP)]
    return [
        *code,
        (JUMP_IF_EQUAL, 0, 3, machine.clone),
        (LOAD, 0, 0, FIRST_ARGUMENT_AT),
        (JUMP_IF_SET, 1, 0, CLONE_THREAD),
        (RETURN, 0, 0, TRAP),
        (RETURN, 0, 0, ALLOW),
    ]
