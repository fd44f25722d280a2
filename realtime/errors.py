"""The tree of errors that the runtime raises for causes a user can act on.

    StylizeError            a job failed; exit code 1
    ├── UsageError          the command line or an option is wrong; exit code 2
    ├── InputError          the input cannot be read, or holds no video
    ├── OutputError         the output cannot be written
    ├── StyleError          a style's weights are missing, damaged or not a style
    └── EngineError         the engine or device asked for cannot be used

A message says what failed, what was seen, what was expected and what to do, in one line.
"""


class StylizeError(Exception):
    """A failure whose message is meant for the user."""

    exit_code = 1


class UsageError(StylizeError):
    """Options that cannot be meant; change the command."""

    exit_code = 2


class InputError(StylizeError):
    """The input cannot be read; give another file."""


class OutputError(StylizeError):
    """The output cannot be written; give another place or format."""


class StyleError(StylizeError):
    """The style cannot be used; reinstall it or choose another."""


class EngineError(StylizeError):
    """The engine or device cannot be used; install what the message names or choose another."""
