"""A system-call filter without a library: what a decoder never needs, it can no longer do.

Denied calls fail with EPERM. Linux on x86-64 and aarch64; elsewhere nothing is filtered and the caller is told so.
"""

import ctypes
import errno
import platform
import struct
import sys

_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_RET_ALLOW = 0x7FFF0000
_RET_ERRNO = 0x00050000
_RET_KILL_PROCESS = 0x80000000
_X32_BIT = 0x40000000  # x86-64 kernels take a second numbering of the same calls

# Offsets in struct seccomp_data; of the first argument the lower half, which comes first on both machines.
_OFFSET_NR, _OFFSET_ARCH, _OFFSET_ARGUMENT = 0, 4, 16
# Classic BPF: load a word, jump if equal, jump if greater or equal, return a constant.
_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06

# Network: `socket`; io_uring could open one without the call. No new programs. Of other processes no memory, no
# descriptors, no limits; to them no signals, but for those that the owner of a descriptor gets (F_SETOWN, F_SETSIG).
# What /proc shows is no matter of calls: `prctl.close_to_others`.
_DENIED = {
    "x86_64": {
        "socket": 41,
        "execve": 59,
        "kill": 62,
        "ptrace": 101,
        "rt_sigqueueinfo": 129,
        "tkill": 200,
        "tgkill": 234,
        "rt_tgsigqueueinfo": 297,
        "process_vm_readv": 310,
        "process_vm_writev": 311,
        "bpf": 321,
        "execveat": 322,
        "pidfd_send_signal": 424,
        "io_uring_setup": 425,
        "pidfd_open": 434,
        "pidfd_getfd": 438,
    },
    "aarch64": {
        "ptrace": 117,
        "kill": 129,
        "tkill": 130,
        "tgkill": 131,
        "rt_sigqueueinfo": 138,
        "socket": 198,
        "execve": 221,
        "rt_tgsigqueueinfo": 240,
        "process_vm_readv": 270,
        "process_vm_writev": 271,
        "bpf": 280,
        "execveat": 281,
        "pidfd_send_signal": 424,
        "io_uring_setup": 425,
        "pidfd_open": 434,
        "pidfd_getfd": 438,
    },
}
_PRLIMIT = {"x86_64": 302, "aarch64": 261}  # for this process, which its first argument calls 0, and for no other
_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]


def build_filter(machine: str) -> bytes:
    """The BPF program for `machine`, eight bytes an instruction; the first match decides.

    Raises:
        KeyError: no call numbers are known for this machine.
    """
    deny = _RET_ERRNO | errno.EPERM
    program = [
        (_LOAD, 0, 0, _OFFSET_ARCH),
        (_JUMP_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        (_RETURN, 0, 0, _RET_KILL_PROCESS),
        (_LOAD, 0, 0, _OFFSET_NR),
    ]
    if machine == "x86_64":
        program += [(_JUMP_AT_LEAST, 0, 1, _X32_BIT), (_RETURN, 0, 0, deny)]
    for number in _DENIED[machine].values():
        program += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, deny)]
    program += [
        (_JUMP_EQUAL, 0, 3, _PRLIMIT[machine]),
        (_LOAD, 0, 0, _OFFSET_ARGUMENT),
        (_JUMP_EQUAL, 1, 0, 0),
        (_RETURN, 0, 0, deny),
        (_RETURN, 0, 0, _RET_ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def install_filter() -> bool:
    """Deny the calls for this process and all its threads to come, for good; whether the kernel took the filter."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _DENIED:
        return False
    code = build_filter(machine)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = _Program(len(code) // 8, ctypes.cast(buffer, ctypes.c_void_p))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    installed: bool = libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) == 0
    return installed
