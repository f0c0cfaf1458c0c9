"""Where the kernels and their rivals are; importing this makes them importable."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
SEARCHED = [str(HERE), str(HERE.parent / "tests" / "python"), str(HERE.parent / "src")]

sys.path += [folder for folder in SEARCHED if folder not in sys.path]
