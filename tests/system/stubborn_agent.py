"""The working agent with a family that does not want to go: a grandchild in a session
of its own, whose parent is gone and which ignores SIGTERM."""

import runpy
import subprocess
import sys
from pathlib import Path

FAMILY = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    time.sleep(600)
"""
subprocess.run([sys.executable, "-c", FAMILY], check=True)
runpy.run_path(str(Path(__file__).with_name("working_agent.py")))
