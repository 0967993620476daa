"""Whether somebody watches: then a bar shows, at training and at downloads alike."""

import os
import sys


def watched() -> bool:
    """What ``dlbook.train.progress.watched`` says; it stands here for the floors below training."""
    word = os.environ.get("DLBOOK_PROGRESS", "")
    if word not in ("", "0", "1"):
        raise ValueError(f"DLBOOK_PROGRESS: expects 0 or 1, got {word!r}")
    if word:
        return word == "1"
    return _in_notebook() or (sys.stderr is not None and sys.stderr.isatty())


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    if ipython is None:
        return False
    shell = ipython.get_ipython()
    return type(shell).__name__ == "ZMQInteractiveShell"
