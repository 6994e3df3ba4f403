"""Executes a command that ends when the process that started it ends, however that happened.

Run as a script: `python -I tether.py PARENT_PID COMMAND [ARGUMENT ...]`. The kernel sends SIGTERM
to the command when its parent dies (`PR_SET_PDEATHSIG`, prctl(2)), so a launcher killed with
SIGKILL leaves no orphan. The setting survives `execve`; this wrapper sets it in the child itself,
because code run between fork and exec (`preexec_fn`) may deadlock in a parent that has threads.

"Parent" means the *thread* that started the child: start it from one that stays.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def main(arguments: list[str]) -> None:
    """Ties this process to its parent and becomes the command.

    Args:
        arguments: the parent's process id, then the command and its arguments.

    Raises:
        OSError: the kernel refused the tie.
        SystemExit: the parent is gone, or the command cannot be executed.
    """
    parent_pid, command = int(arguments[0]), arguments[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent_pid:
        sys.exit("tether: the parent is gone already")  # it died before prctl: no signal will come
    try:
        os.execvp(command[0], command)  # noqa: S606  # no shell: this is the point of the wrapper
    except OSError as error:
        sys.exit(f"tether: cannot execute {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
