"""Functions of C libraries, called by ``ctypes``, that start processes, talk to others, or change the machine."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

from testbench.protocol import Call, Plain
from testbench.recorders._foreign import Handler, leaking, plainly, watch

_REFUSED: Final = (
    *("system", "popen", "fork", "vfork", "forkpty", "daemon", "posix_spawn", "posix_spawnp", "clone", "syscall"),
    *("execv", "execve", "execvp", "execvpe", "execl", "execlp", "execle", "fexecve"),
    *("connect", "bind", "listen", "accept", "accept4", "send", "sendto", "sendmsg", "recv", "recvfrom", "recvmsg"),
    *("getaddrinfo", "gethostbyname", "gethostbyaddr", "getnameinfo", "res_query"),
    *("kill", "killpg", "mount", "umount", "umount2", "sethostname", "reboot"),
)
_LET_HAPPEN: Final = (
    *("open", "open64", "openat", "creat", "fopen", "fopen64", "opendir", "unlink", "remove", "rename", "link"),
    *("symlink", "mkdir", "rmdir", "truncate", "chmod", "chown", "shm_open", "sem_open", "syslog"),
)

Report = Callable[[str, Plain], None]


def install_c_functions(call: Call, report: Report, stack: ExitStack) -> None:
    """Report calls of them until the stack unwinds; a replay refuses some, and lets files be."""

    def watched(function: Any, args: tuple[Any, ...]) -> Any:
        if not call.inside():
            report("c_file", {"function": str(function.__name__)})
        return plainly(function, args)

    handlers: dict[str, Handler] = leaking(call, "c_function", _REFUSED)
    watch(stack, handlers | dict.fromkeys(_LET_HAPPEN, watched))
