"""What the sweep is doing now, for whoever asks whether it is stuck."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

from redis import RedisError

from paperclip.live import valkey

IDLE = "idle"
STALLED_AFTER = 10.0


def step(name: str) -> None:
    """Say which step begins."""
    with suppress(RedisError):
        valkey().set("pulse", json.dumps({"step": name, "at": time.time()}))


def read() -> dict[str, Any]:
    """`phase` ready, working, or stalled (with the `step` that does not end); `at` is a
    UNIX time. Unknown when the sweep never ran or the broker does not say."""
    try:
        said = json.loads(str(valkey().get("pulse") or "null"))
    except RedisError:
        said = None
    if said is None:
        return {"phase": "unknown", "step": None, "at": None}
    late = time.time() - said["at"] > STALLED_AFTER
    ready = "ready" if said["step"] == IDLE else "working"
    return {"phase": "stalled" if late else ready, **said}
