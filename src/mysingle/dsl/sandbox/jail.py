"""What the operating system takes away from a worker: limits, system calls, the file system."""

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Mapping
from typing import Final, NamedTuple

__all__ = ["JailReport", "lock_down"]

_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_SET_SECCOMP: Final = 22
_SECCOMP_FILTER: Final = 2
_ALLOW: Final = 0x7FFF0000
_EPERM: Final = 0x00050001
_KILL: Final = 0x80000000
_PROT_EXEC: Final = 4
_LANDLOCK_CREATE: Final = 444
_LANDLOCK_RESTRICT: Final = 446

# name: (x86-64, arm64); what numpy, TA-Lib and the interpreter need once everything is imported.
_CALLS: Final[Mapping[str, tuple[int, int]]] = {
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "fstat": (5, 80), "lseek": (8, 62), "munmap": (11, 215),
    "brk": (12, 214), "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139),
    "pread64": (17, 67), "pwrite64": (18, 68), "readv": (19, 65), "writev": (20, 66), "sched_yield": (24, 124),
    "mremap": (25, 216), "madvise": (28, 233), "nanosleep": (35, 101), "getpid": (39, 172), "exit": (60, 93),
    "gettimeofday": (96, 169), "getrusage": (98, 165), "sysinfo": (99, 179), "times": (100, 153), "gettid": (186, 178),
    "futex": (202, 98), "sched_getaffinity": (204, 123), "restart_syscall": (219, 128), "clock_gettime": (228, 113),
    "clock_getres": (229, 114), "clock_nanosleep": (230, 115), "exit_group": (231, 94), "tgkill": (234, 131),
    "ppoll": (271, 73), "set_robust_list": (273, 99), "getcpu": (309, 168), "getrandom": (318, 278),
    "membarrier": (324, 283), "rseq": (334, 293), "sigaltstack": (131, 132),
}  # fmt: skip
_X86_ONLY: Final = (7,)  # poll
_MAPPING: Final = {"mmap": (9, 222), "mprotect": (10, 226)}
_ARCHITECTURES: Final = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


class JailReport(NamedTuple):
    """What could be taken away; anything false is a weaker jail, to be seen in the service's health."""

    limits: bool = False
    seccomp: bool = False
    landlock: int = 0
    """The version of the kernel's interface, 0 when there is none."""

    @property
    def is_complete(self) -> bool:
        """Whether every layer is there."""
        return self.limits and self.seccomp and self.landlock > 0


def lock_down(memory_bytes: int, cpu_seconds: int) -> JailReport:
    """Give up what a worker does not need, for good; what the system does not know is reported, not raised."""
    limits = _set_limits(memory_bytes, cpu_seconds)
    if not sys.platform.startswith("linux"):
        return JailReport(limits)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return JailReport(limits)
    landlock = _forbid_files(libc)
    return JailReport(limits, _filter_calls(libc), landlock)


def _set_limits(memory_bytes: int, cpu_seconds: int) -> bool:
    try:
        import resource  # not on Windows
    except ImportError:
        return False
    wanted = {
        "RLIMIT_CPU": cpu_seconds, "RLIMIT_NOFILE": 16, "RLIMIT_FSIZE": 0, "RLIMIT_NPROC": 0, "RLIMIT_CORE": 0,
        "RLIMIT_AS": _mapped_bytes() + memory_bytes,
    }  # fmt: skip
    try:
        for name, value in wanted.items():
            kind = getattr(resource, name, None)  # names differ between systems
            if kind is not None:
                resource.setrlimit(kind, (value, value))
    except (ValueError, OSError):
        return False
    return True


def _mapped_bytes() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as status:  # noqa: PTH123  # before the file system is gone
            return int(status.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 4 * 1024**3


def _forbid_files(libc: ctypes.CDLL) -> int:
    version = int(libc.syscall(_LANDLOCK_CREATE, None, 0, 1))
    if version < 1:
        return 0
    bits = 13 + (version >= 2) + (version >= 3) + (version >= 5)  # rights added by each version
    attributes = struct.pack("=QQ", (1 << bits) - 1, 3 if version >= 4 else 0)  # and the network
    size = 16 if version >= 4 else 8  # as above
    rules = int(libc.syscall(_LANDLOCK_CREATE, attributes, size, 0))
    if rules < 0:
        return 0
    restricted = int(libc.syscall(_LANDLOCK_RESTRICT, rules, 0))
    os.close(rules)
    return version if restricted == 0 else 0


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _filter_calls(libc: ctypes.CDLL) -> bool:
    known = _ARCHITECTURES.get(platform.machine())
    if known is None or sys.byteorder != "little":
        return False
    code = _compile(*known)
    program = _Program(len(code) // 8, code)
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_FILTER, ctypes.byref(program), 0, 0) == 0)


def _compile(column: int, architecture: int) -> bytes:
    """Write the filter: wrong architecture kills, listed calls pass, executable memory and all others give EPERM."""
    load, equal, same_bit, give = 0x20, 0x15, 0x45, 0x06
    allowed = [numbers[column] for numbers in _CALLS.values()] + ([*_X86_ONLY] if column == 0 else [])
    mapping = [numbers[column] for numbers in _MAPPING.values()]
    code = [(load, 0, 0, 4), (equal, 1, 0, architecture), (give, 0, 0, _KILL), (load, 0, 0, 0)]
    code += [instruction for number in allowed for instruction in ((equal, 0, 1, number), (give, 0, 0, _ALLOW))]
    for number in mapping:
        # The third argument of both is the protection.
        code += [
            (equal, 0, 4, number), (load, 0, 0, 32), (same_bit, 0, 1, _PROT_EXEC), (give, 0, 0, _EPERM),
            (give, 0, 0, _ALLOW),
        ]  # fmt: skip
    code.append((give, 0, 0, _EPERM))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)
