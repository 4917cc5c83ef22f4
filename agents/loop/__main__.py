"""`python -m agents.loop`, or by path: `python -I -S agents/loop/__main__.py`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    if not __package__:
        sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from agents.loop.program import main

    sys.exit(main())
