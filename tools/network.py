"""A network of its own for a command, which holds nothing but the loopback device: on Linux.

Over the loopback device a notebook talks to its kernel.
"""

import socket
import struct
import subprocess
import sys

CUTTERS = (["unshare", "--user", "--map-root-user", "--net"], ["unshare", "--net"])


def cutter() -> list[str]:
    """The command that runs another one without any network; empty where this user has none."""
    for command in CUTTERS:
        try:
            if subprocess.run([*command, "true"], capture_output=True).returncode == 0:
                return command
        except FileNotFoundError:
            continue
    return []


def cut(command: list[str]) -> list[str]:
    """The command so that it runs with the loopback device alone; empty where that cannot be."""
    unshare = cutter()
    return [*unshare, sys.executable, __file__, *command] if unshare else []


def raise_loopback() -> None:
    """Switch the loopback device on, as `ip link set lo up` does.

    Raises:
        RuntimeError: there are other devices, so this is not a network of our own.
    """
    import fcntl

    devices = [name for _, name in socket.if_nameindex()]
    if [name for name in devices if name != "lo" and not name.startswith(("tun", "sit", "ip"))]:
        raise RuntimeError(f"expected a network with the device lo alone, found {devices}")
    set_flags, up_and_running = 0x8914, 0x1 | 0x40  # SIOCSIFFLAGS; IFF_UP, IFF_RUNNING
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        fcntl.ioctl(channel, set_flags, struct.pack("16sh14x", b"lo", up_and_running))


if __name__ == "__main__":
    raise_loopback()
    sys.exit(subprocess.run(sys.argv[1:]).returncode)
