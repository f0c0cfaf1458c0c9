"""Makes the helpers of these tests importable: the oracle beside this file and the random graphs."""

import sys
from pathlib import Path

for folder in (Path(__file__).parent, Path(__file__).parent.parent / "strategies"):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
