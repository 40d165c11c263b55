"""The system-call filter as a program; what it does to a process is tested with the decoder pool."""

import errno
import struct

import pytest

from service.inference.seccomp import build_filter

ALLOW, DENY, KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
X86_64, AARCH64, I386 = 0xC000003E, 0xC00000B7, 0x40000003


def decide(program: bytes, architecture: int, number: int, argument: int = 0) -> int:
    """Run the filter as the kernel would, over struct seccomp_data."""
    data = struct.pack("<IIQQ", number, architecture, 0, argument)
    instructions = [struct.unpack("=HBBI", program[at : at + 8]) for at in range(0, len(program), 8)]
    position, loaded = 0, 0
    while True:
        code, if_true, if_false, operand = instructions[position]
        position += 1
        match code:
            case 0x20:
                (loaded,) = struct.unpack_from("<I", data, operand)
            case 0x15:
                position += if_true if loaded == operand else if_false
            case 0x35:
                position += if_true if loaded >= operand else if_false
            case 0x06:
                return int(operand)


@pytest.mark.parametrize(
    ("machine", "architecture", "number", "expected"),
    [
        pytest.param("x86_64", X86_64, 41, DENY, id="socket"),
        pytest.param("x86_64", X86_64, 59, DENY, id="execve"),
        pytest.param("x86_64", X86_64, 425, DENY, id="io_uring"),
        *(
            pytest.param("x86_64", X86_64, number, DENY, id=name)
            for number, name in [
                (62, "kill"),
                (101, "ptrace"),
                (129, "rt_sigqueueinfo"),
                (200, "tkill"),
                (234, "tgkill"),
                (297, "rt_tgsigqueueinfo"),
                (310, "process_vm_readv"),
                (311, "process_vm_writev"),
                (424, "pidfd_send_signal"),
                (434, "pidfd_open"),
                (438, "pidfd_getfd"),
            ]
        ),
        *(
            pytest.param("aarch64", AARCH64, number, DENY, id=f"{name} on ARM")
            for number, name in [
                (117, "ptrace"),
                (129, "kill"),
                (130, "tkill"),
                (131, "tgkill"),
                (138, "rt_sigqueueinfo"),
                (240, "rt_tgsigqueueinfo"),
                (270, "process_vm_readv"),
                (271, "process_vm_writev"),
                (424, "pidfd_send_signal"),
                (434, "pidfd_open"),
                (438, "pidfd_getfd"),
            ]
        ),
        pytest.param("x86_64", X86_64, 0, ALLOW, id="read"),
        pytest.param("x86_64", X86_64, 9, ALLOW, id="mmap"),
        pytest.param("x86_64", X86_64, 0x40000000 + 41, DENY, id="socket by the x32 numbering"),
        pytest.param("x86_64", I386, 41, KILL, id="another architecture's numbering"),
        pytest.param("aarch64", AARCH64, 198, DENY, id="socket on ARM"),
        pytest.param("aarch64", AARCH64, 63, ALLOW, id="read on ARM"),
        pytest.param("aarch64", X86_64, 63, KILL, id="another architecture on ARM"),
    ],
)
def test_build_filter__decides(machine, architecture, number, expected):
    """Numbers from the kernel's tables (asm/unistd.h)."""
    assert expected == decide(build_filter(machine), architecture, number)


@pytest.mark.parametrize(
    ("machine", "architecture", "number"), [("x86_64", X86_64, 302), ("aarch64", AARCH64, 261)], ids=["x86", "ARM"]
)
def test_build_filter__lets_a_process_limit_itself_alone(machine, architecture, number):
    """prlimit64 is how a process sets its own limits, too."""
    program = build_filter(machine)

    assert (ALLOW, DENY) == (decide(program, architecture, number, 0), decide(program, architecture, number, 1234))


def test_build_filter__knows_its_machines():
    """Where numbers are not known, nothing is guessed."""
    with pytest.raises(KeyError):
        build_filter("s390x")
