"""Run a command with the network cut: ``offline.py COMMAND ...``, on Linux.

The command gets a network of its own that holds nothing but the loopback device, over which a
notebook talks to its kernel. Where the system does not let a user do that, nothing runs.
"""

import socket
import struct
import subprocess
import sys
from pathlib import Path

UNSHARE = ("unshare", "--map-root-user", "--net")


def can_cut() -> bool:
    """Whether this user may cut the network for a command."""
    try:
        return subprocess.run([*UNSHARE, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def cut(command: list[str]) -> list[str]:
    """The command, wrapped so that it runs without a network."""
    return [*UNSHARE, sys.executable, str(Path(__file__).resolve()), "--inside", *command]


def raise_loopback() -> None:
    """Switch the loopback device on, as `ip link set lo up` does.

    Raises:
        RuntimeError: there are other devices, so this is not a network of our own.
    """
    import fcntl

    devices = [name for _, name in socket.if_nameindex()]
    others = [
        name for name in devices if name != "lo" and not name.startswith(("tun", "sit", "ip"))
    ]
    if others:
        raise RuntimeError(f"expected a network with the device lo alone, found {devices}")
    set_flags, up_and_running = 0x8914, 0x1 | 0x40  # SIOCSIFFLAGS; IFF_UP, IFF_RUNNING
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        fcntl.ioctl(channel, set_flags, struct.pack("16sh14x", b"lo", up_and_running))


def main(arguments: list[str]) -> int:
    if not arguments:
        sys.exit("usage: offline.py COMMAND ...")
    if arguments[0] == "--inside":
        raise_loopback()
        return subprocess.run(arguments[1:]).returncode
    if not can_cut():
        sys.exit(
            "not run: this system does not let you cut the network for one command "
            "(`unshare -rn true` must work). On another system, switch the network off by hand "
            f"and run: {' '.join(arguments)}"
        )
    return subprocess.run(cut(arguments)).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
