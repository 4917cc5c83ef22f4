"""Bare git repositories on this host: what the control plane does with them itself.

Nothing here knows a project or an issue; `issues/repositories.py` does.
"""

from paperclip.git.bare import Bare, Change, Merge
from paperclip.git.checkout import lay_out
from paperclip.git.command import GitError, git
from paperclip.git.scratch import clear_up, scratch

__all__ = [
    "Bare",
    "Change",
    "GitError",
    "Merge",
    "clear_up",
    "git",
    "lay_out",
    "scratch",
]
