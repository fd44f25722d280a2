"""The commands that train and optimise: each says in one line that the extra `train` is missing."""

import os
import sys
from importlib import import_module

from realtime.child_command import require_torch
from realtime.command import write_any_letters
from realtime.errors import UsageError


def train() -> int:
    return _main("stylize-train", "export.cli_train")


def export() -> int:
    return _main("stylize-export", "export.cli")


def keyframe() -> int:
    return _main("stylize-keyframe", "export.cli_keyframe")


def _main(command: str, module: str) -> int:
    try:
        require_torch(command)
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    write_any_letters()
    # What torch cannot do on a Mac's graphics processor yet is left to the processor.
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
    code: int = import_module(module).main()
    return code
