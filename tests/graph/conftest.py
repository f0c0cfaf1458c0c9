"""Makes the random graphs importable."""

import sys
from pathlib import Path

folder = str(Path(__file__).parent.parent / "strategies")
if folder not in sys.path:
    sys.path.append(folder)
