"""The system-call filter as a program; what it does to a process is tested with the decoder pool."""

import errno
import struct

import pytest

from service.inference.seccomp import build_filter

ALLOW, DENY, KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
X86_64, AARCH64, I386 = 0xC000003E, 0xC00000B7, 0x40000003


def decide(program: bytes, architecture: int, number: int) -> int:
    """Run the filter as the kernel would, over struct seccomp_data."""
    data = struct.pack("<II", number, architecture)
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


def test_build_filter__knows_its_machines():
    """Where numbers are not known, nothing is guessed."""
    with pytest.raises(KeyError):
        build_filter("s390x")
