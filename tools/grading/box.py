"""A view of the machine that holds Python, the helpers, one folder to write in, and nothing else.

On Linux, where a user may make namespaces: no network, no other processes, everything read-only but
that folder, which lies in memory and has a size; and no system calls that leave something for the
next one. ``command`` gives the command line that runs another one in there.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from pathlib import Path

SPACE = "size=300m,nr_inodes=20000"  # for what is written
UNSHARE = "unshare --user --map-root-user --net --ipc --mount --pid --fork --kill-child".split()
SYSTEM = (
    "/usr /bin /sbin /lib /lib32 /lib64 /nix /etc/ld.so.cache /etc/localtime /etc/fonts "
    "/etc/alternatives /dev/null /dev/zero /dev/urandom /dev/random"
).split()

CALLS = {  # what outlives its process or is in no limit: {machine: (its number, system calls)}
    # setxattr, lsetxattr, fsetxattr, mq_open, msgget, semget, shmget, add_key, request_key, keyctl,
    # memfd_create; io_uring_setup, memfd_secret, setxattrat
    "x86_64": (0xC000003E, (188, 189, 190, 240, 68, 64, 29, 248, 249, 250, 319, 425, 447, 463)),
    "aarch64": (0xC00000B7, (5, 6, 7, 180, 186, 190, 194, 217, 218, 219, 279, 425, 447, 463)),
}


def command(root: Path, writable: Path, *visible: Path) -> list[str]:
    """What comes before a command that is to run in the box; `root` is an empty folder for it."""
    shown = [*SYSTEM, sys.prefix, sys.base_prefix, *map(str, visible)]
    return [*UNSHARE, sys.executable, __file__, str(root), str(writable), *shown, "--"]


def enter(root: str, writable: str, shown: list[str]) -> None:
    """Build the view on `root` and go there, for good.

    Raises:
        OSError: the system does not allow it.
    """
    bind, recursive, no_set_user = 4096, 16384, 2
    Path("/proc/self/oom_score_adj").write_text("1000")  # when memory ends, this goes first
    _mount("tmpfs", root, "tmpfs", no_set_user, "size=8m,mode=755")
    for path in shown:
        target = Path(root + path)
        if not os.path.lexists(path) or os.path.lexists(target):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if os.path.islink(path):
            target.symlink_to(os.readlink(path))
            continue
        target.mkdir() if os.path.isdir(path) else target.touch()
        _mount(path, str(target), None, bind | recursive)
    os.makedirs(root + "/proc", exist_ok=True)
    os.makedirs(root + writable)
    _mount("proc", root + "/proc", "proc", no_set_user)
    _make_read_only(root)
    _mount("tmpfs", root + writable, "tmpfs", no_set_user, f"{SPACE},mode=700")
    os.chroot(root)
    os.chdir(writable)
    set_no_new_privileges, drop_capability = 38, 24
    for capability in range(64):  # the last ones do not exist
        LIBC.prctl(drop_capability, capability, 0, 0, 0)
    LIBC.prctl(set_no_new_privileges, 1, 0, 0, 0)
    _refuse_calls()


LIBC = ctypes.CDLL(None, use_errno=True)


def _mount(source, target, kind, flags, options=None):
    texts = (None if text is None else text.encode() for text in (source, target, kind))
    source, target, kind = texts
    options = None if options is None else options.encode()
    _worked(LIBC.mount(source, target, kind, ctypes.c_ulong(flags), options), target)


def _make_read_only(root):
    """The whole tree, with everything that is mounted in it: Linux 5.12 and later."""
    mount_setattr, here, recursive = 442, -100, 0x8000
    attributes = (ctypes.c_uint64 * 4)(1 | 2)  # read-only, no set-user-id
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    _worked(LIBC.syscall(mount_setattr, here, root.encode(), recursive, attributes, size), root)


def _refuse_calls():
    """Answer CALLS, and calls in the form of another machine, with "no such call", for good."""
    if platform.machine() not in CALLS:
        return
    machine, numbers = CALLS[platform.machine()]
    load, equal, at_least, give = 0x20, 0x15, 0x35, 0x06
    count = 5 + len(numbers)  # of instructions before the refusal
    steps = [(load, 0, 0, 4), (equal, 0, count - 2, machine), (load, 0, 0, 0)]
    for code, value in [(at_least, 0x40000000), *((equal, number) for number in numbers)]:
        steps.append((code, count - len(steps) - 1, 0, value))
    steps += [(give, 0, 0, 0x7FFF0000), (give, 0, 0, 0x50000 + errno.ENOSYS)]
    steps = b"".join(struct.pack("HBBI", *step) for step in steps)
    buffer, set_seccomp, filtered = ctypes.create_string_buffer(steps), 22, 2
    program = struct.pack("HP", count + 1, ctypes.addressof(buffer))
    _worked(LIBC.prctl(set_seccomp, filtered, program, 0, 0), "seccomp")


def _worked(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(what))


if __name__ == "__main__":
    end = sys.argv.index("--")
    enter(sys.argv[1], sys.argv[2], sys.argv[3:end])
    os.execv(sys.argv[end + 1], sys.argv[end + 1 :])
