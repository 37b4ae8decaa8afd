"""Becomes a child of the stack: `launch.py PARENT_PID ORPHAN_SIGNAL PID_FILE_DESCRIPTOR COMMAND…`.

It runs as a script of its own, by an interpreter that imports nothing of the project, for two things that must happen
inside the child: a `preexec_fn` would do them in a fork of a threaded process, where Python code may deadlock.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1  # from <linux/prctl.h>


def die_with_parent(parent_pid: int, orphan_signal: int) -> None:
    """Ask the kernel to signal this process when its parent ends, however it ends. Only Linux can."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, orphan_signal, 0, 0, 0)
    if os.getppid() != parent_pid:
        sys.exit("the stack ended before this process had started")


def main() -> None:
    """Note the pid, tie this process to its parent, and become the command."""
    parent_pid, orphan_signal, pid_file = map(int, sys.argv[1:4])
    command = sys.argv[4:]
    os.write(pid_file, str(os.getpid()).encode())
    die_with_parent(parent_pid, orphan_signal)
    try:
        os.execvp(command[0], command)  # noqa: S606 - becoming that program is the point
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
