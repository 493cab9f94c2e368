"""What a cell gives up before it sees a file: new files, the network, other processes, changes of its limits.

Landlock takes files, TCP, signals and abstract sockets; seccomp leaves the calls that a codec needs, on memory, on what
is open already, and for threads, and answers EPERM to all others. A kernel that lacks one of them says so once.
"""

import ctypes
import errno
import os
import platform
import resource
import struct
from collections.abc import Iterator

_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SIGKILL = 9

_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446  # on every architecture
_FILES_BY_VERSION = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 4: 0x7FFF, 5: 0xFFFF}  # rights that a version of Landlock knows
_TCP, _SIGNALS_AND_SOCKETS = 0b11, 0b11
_SINCE_TCP, _SINCE_SCOPES = 4, 6

_NEW_THREAD = (0x3D0F00, 0x7D0F00)  # the flags of clone with which glibc and musl start a thread, and no others
_SECCOMP_FILTER = 2
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # of a BPF program
_AT_NUMBER, _AT_ARCHITECTURE, _AT_FIRST_ARGUMENT = 0, 4, 16

#: machine -> its number for seccomp, and the numbers of clone, clone3, tgkill and the calls that are left.
_CALLS = {
    "x86_64": (
        *(0xC000003E, 56, 435, 234),
        # read write recvfrom sendto futex mmap munmap mremap brk madvise mprotect, clocks, poll
        (0, 1, 45, 44, 202, 9, 11, 25, 12, 28, 10, 228, 229, 230, 35, 96, 7, 271, 24),
        # close fstat lseek pread pwrite readv writev sendmsg recvmsg getcwd getrandom, signals to handle, ids
        (3, 5, 8, 17, 18, 19, 20, 46, 47, 79, 318, 13, 14, 15, 131, 219, 39, 186, 110, 102, 104, 107, 108),
        # exit exit_group, of threads, of the machine
        (60, 231, 273, 218, 334, 324, 158, 204, 63, 99, 98, 100),
    ),
    "aarch64": (
        *(0xC00000B7, 220, 435, 131),
        (63, 64, 207, 206, 98, 222, 215, 216, 214, 233, 226, 113, 114, 115, 101, 169, 73, 124),
        (57, 80, 62, 67, 68, 65, 66, 211, 212, 17, 278, 134, 135, 139, 132, 128, 172, 178, 173, 174, 175, 176, 177),
        (93, 94, 99, 96, 293, 283, 123, 160, 179, 165, 153),
    ),
}


def die_with_parent() -> None:
    """Have the kernel kill this process when the one ends that forked it."""
    _libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)


def lock() -> list[str]:
    """Give everything up, for good; return what this kernel does not let one give up."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold pictures
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return [name for name, locked in (("Landlock", _landlock()), ("seccomp", _seccomp())) if not locked]


def _landlock() -> bool:
    """Give up files and TCP: a set of rules in which nothing is allowed."""
    version = _libc.syscall(_LANDLOCK_CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False
    files = _FILES_BY_VERSION[min(version, max(_FILES_BY_VERSION))]
    rules = struct.pack("=Q", files)
    rules += struct.pack("=Q", _TCP) if version >= _SINCE_TCP else b""
    rules += struct.pack("=Q", _SIGNALS_AND_SOCKETS) if version >= _SINCE_SCOPES else b""
    file = _libc.syscall(_LANDLOCK_CREATE_RULESET, rules, ctypes.c_size_t(len(rules)), 0)
    if file < 0:
        return False
    locked = _libc.syscall(_LANDLOCK_RESTRICT_SELF, file, 0) == 0
    os.close(file)
    return bool(locked)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _seccomp() -> bool:
    """Give up all calls but a few."""
    if platform.machine() not in _CALLS or struct.calcsize("P") * 8 < 64:
        return False
    code = b"".join(struct.pack("=HBBI", *line) for line in _filter(platform.machine(), os.getpid()))
    program = _Program(len(code) // 8, code)
    return bool(_libc.prctl(_PR_SET_SECCOMP, _SECCOMP_FILTER, ctypes.byref(program), 0, 0) == 0)


def _filter(machine: str, pid: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield the lines of the BPF program that the kernel asks at every call: code, jump if so, jump if not, value."""
    architecture, clone, clone3, tgkill, *lists = _CALLS[machine]
    refused = (_RETURN, 0, 0, _ERRNO | errno.EPERM)
    allowed = (_RETURN, 0, 0, _ALLOW)
    yield (_LOAD, 0, 0, _AT_ARCHITECTURE)
    yield (_EQUAL, 1, 0, architecture)
    yield (_RETURN, 0, 0, _KILL)
    yield (_LOAD, 0, 0, _AT_NUMBER)
    for number in (each for some in lists for each in some):
        yield (_EQUAL, 0, 1, number)
        yield allowed
    yield (_EQUAL, 0, 1, clone3)
    yield (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)  # glibc then asks for clone, whose flags can be seen here
    yield (_EQUAL, 0, 5, clone)
    yield (_LOAD, 0, 0, _AT_FIRST_ARGUMENT)
    yield (_EQUAL, 1, 0, _NEW_THREAD[0])
    yield (_EQUAL, 0, 1, _NEW_THREAD[1])
    yield allowed
    yield refused
    yield (_EQUAL, 0, 3, tgkill)
    yield (_LOAD, 0, 0, _AT_FIRST_ARGUMENT)
    yield (_EQUAL, 0, 1, pid)
    yield allowed  # abort() sends itself a signal
    yield refused
