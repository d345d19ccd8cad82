"""Run as a program of its own: makes a mount namespace with the view in the place of the root, tells of it, and waits.

Arguments: root, view, ``deny`` or ``real``, ``user`` or ``root``. It says ``ready``, or why it could not, on its
standard output, and ends when its standard input does.
"""

import ctypes
import os
import sys

_CLONE_NEWNS = 0x20000
_CLONE_NEWUSER = 0x10000000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000
_MOUNT_SETATTR = 442
_AT_RECURSIVE, _RDONLY = 0x8000, 0x1


def _checked(what: str, result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mapped(name: str, text: str) -> None:
    with open(f"/proc/self/{name}", "w") as file:
        file.write(text)


def _read_only(library: ctypes.CDLL, *, yes: bool, place: bytes, flags: int) -> None:
    """Let all that is mounted at a place be read only, or writable again (mount_setattr(2))."""
    wanted = (ctypes.c_uint64 * 4)(_RDONLY if yes else 0, 0 if yes else _RDONLY, 0, 0)
    _checked("mount_setattr", library.syscall(_MOUNT_SETATTR, -100, place, flags, wanted, ctypes.sizeof(wanted)))


def main(root: str, view: str, outside: str, as_whom: str) -> None:
    """Make the namespace.

    Raises:
        OSError: it cannot be made.
    """
    library = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    flags = _CLONE_NEWNS | (_CLONE_NEWUSER if as_whom == "user" else 0)
    _checked("unshare", library.unshare(flags))
    if as_whom == "user":
        _mapped("setgroups", "deny")
        _mapped("uid_map", f"{user} {user} 1")
        _mapped("gid_map", f"{group} {group} 1")
    here, there = os.fsencode(view), os.fsencode(root)
    _checked("mount", library.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None))
    _checked("mount", library.mount(here, there, None, _MS_BIND | _MS_REC, None))
    if outside == "deny":
        _read_only(library, yes=True, place=b"/", flags=_AT_RECURSIVE)
        _read_only(library, yes=False, place=there, flags=0)


def _say(text: str) -> None:
    os.write(1, text.encode())


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except OSError as error:
        _say(str(error.strerror))
    else:
        _say("ready")
        sys.stdin.read()
