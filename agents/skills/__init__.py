"""What every agent is taught, whatever program it is."""

from pathlib import Path

HEARTBEAT = Path(__file__).with_name("heartbeat.md")
