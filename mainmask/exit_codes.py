"""The command line's exit codes, and which error means which."""

from enum import IntEnum

from mainmask.errors import (
    BadApiKey,
    BadServiceUrl,
    JobFailed,
    JobNotFound,
    JobTimedOut,
    KeyRefused,
    QuotaExceeded,
    RequestRejected,
    ServiceUnreachable,
    UnexpectedAnswer,
)
from mainmask.folder.errors import FolderError
from mainmask.stack.errors import StackError, StackRunning


class ExitCode(IntEnum):
    """What a script can tell from how a command ended. They never change."""

    OK = 0
    JOB_FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    NOTHING_FOUND = 4
    REJECTED = 5
    TIMED_OUT = 6
    ALREADY_RUNNING = 7
    STACK_FAILED = 8
    KEY_REFUSED = 9
    OVER_QUOTA = 10
    INTERRUPTED = 130
    """128 and the number of SIGINT, as of any program; so 143 for SIGTERM."""


MEANINGS: dict[ExitCode, str] = {
    ExitCode.OK: "done",
    ExitCode.JOB_FAILED: "a job failed, or a check of `doctor`",
    ExitCode.USAGE: "wrong usage, or a file that cannot be read or written",
    ExitCode.UNREACHABLE: "the service cannot be reached, or gives answers that make no sense",
    ExitCode.NOTHING_FOUND: "the one picture does not show what was asked for",
    ExitCode.REJECTED: "the service rejected the request",
    ExitCode.TIMED_OUT: "timed out",
    ExitCode.ALREADY_RUNNING: "a local stack is already running",
    ExitCode.STACK_FAILED: "the local stack did not start",
    ExitCode.KEY_REFUSED: "the key is missing, invalid or not for this",
    ExitCode.OVER_QUOTA: "the key's quota is used up",
    ExitCode.INTERRUPTED: "Ctrl-C",
}
"""For people; the table in docs/cli.md says the same."""


EXIT_CODES: dict[type[Exception], ExitCode] = {
    BadApiKey: ExitCode.USAGE,
    BadServiceUrl: ExitCode.USAGE,
    FolderError: ExitCode.USAGE,
    JobFailed: ExitCode.JOB_FAILED,
    JobNotFound: ExitCode.REJECTED,
    JobTimedOut: ExitCode.TIMED_OUT,
    KeyRefused: ExitCode.KEY_REFUSED,
    OSError: ExitCode.USAGE,
    QuotaExceeded: ExitCode.OVER_QUOTA,
    RequestRejected: ExitCode.REJECTED,
    ServiceUnreachable: ExitCode.UNREACHABLE,
    StackError: ExitCode.STACK_FAILED,
    StackRunning: ExitCode.ALREADY_RUNNING,
    UnexpectedAnswer: ExitCode.UNREACHABLE,
}
"""An error that is not listed counts as its nearest base class."""


def exit_code(error: Exception) -> ExitCode:
    """The exit code of an error of the client's, the stack's or the file system's."""
    return next(EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES)
