"""Where the embedded servers' programs lie."""

from importlib.util import find_spec
from pathlib import Path


class Unavailable(Exception):
    """A server cannot run here. The message is one line that says what to do."""


def package(name: str) -> Path:
    """Where an installed package lies, without importing it."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise Unavailable(f"{name} is not installed for this system: see the README.")
    return Path(spec.origin).parent
