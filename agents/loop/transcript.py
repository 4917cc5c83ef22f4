"""What the loop prints: one JSON document a line, each as soon as it is true."""

from __future__ import annotations

import json
import sys
from typing import Any


def say(kind: str, **more: Any) -> None:
    line = json.dumps({"type": kind, **more}, ensure_ascii=False)
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
