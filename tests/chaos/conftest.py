"""The storm is a program of its own: its modules find each other by their own directory."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
