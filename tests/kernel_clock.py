"""Set the wall clock of a running program in Go, such as nats-server, which libfaketime can't reach.

Such a program asks the vDSO, code of the kernel's that is mapped into each process, and not the C library. Here the
beginning of its `__vdso_clock_gettime` is overwritten in that process alone: by the system call, and what is added to
CLOCK_REALTIME.
"""

import platform
import struct
from datetime import timedelta

import pytest

NAME = b"__vdso_clock_gettime"
DYNAMIC, STRING_TABLE, SYMBOL_TABLE = 2, 5, 6
"""A program header's type, and tags in the table that it points to (elf.h)."""
BEFORE = bytes.fromhex("5756b8e40000000f055e5f85ff7507488106")
"""push rdi; push rsi; mov eax, 228; syscall; pop rsi; pop rdi; test edi, edi; jne to the end; add qword [rsi], …"""
RETURN = b"\xc3"


def step(pid: int, ahead: timedelta) -> None:
    """Set the wall clock of process `pid`, ours or our child, to `ahead` of the machine's."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        pytest.skip("the vDSO of other systems is not known here")
    start, end = _vdso(pid)
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        memory.seek(start)
        memory.seek(start + _address(memory.read(end - start)))
        memory.write(BEFORE + struct.pack("<i", round(ahead.total_seconds())) + RETURN)


def _vdso(pid: int) -> tuple[int, int]:
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
        [line] = [line for line in maps if line.rstrip().endswith("[vdso]")]
    start, end = (int(address, 16) for address in line.split()[0].split("-"))
    return start, end


def _address(elf: bytes) -> int:
    """Return where the function begins: an ELF file of 64 bits has the table of its symbols in the dynamic segment."""
    [headers], [count] = struct.unpack_from("<Q", elf, 32), struct.unpack_from("<H", elf, 56)
    segments = [struct.unpack_from("<IIQQQQ", elf, headers + 56 * number) for number in range(count)]
    [(offset, size)] = [(offset, size) for kind, _, offset, _, _, size in segments if kind == DYNAMIC]
    tags = dict(struct.iter_unpack("<QQ", elf[offset : offset + size]))
    for symbol in range(tags[SYMBOL_TABLE], len(elf), 24):
        name, _, _, _, address, _ = struct.unpack_from("<IBBHQQ", elf, symbol)
        if elf[tags[STRING_TABLE] + name :].startswith(NAME + b"\0"):
            return int(address)
    raise AssertionError("this vDSO has no such function")
