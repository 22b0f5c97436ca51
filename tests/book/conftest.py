"""Let the tests here import the lint and the book's extension."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "book" / "_ext")]
