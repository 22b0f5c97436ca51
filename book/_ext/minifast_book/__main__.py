"""Print the name of the outputs' folder, for the key of a cache in CI.

``PYTHONPATH=book/_ext python -m minifast_book``
"""

from minifast_book.console import say
from minifast_book.fingerprint import facts, fingerprint

if __name__ == "__main__":
    say(fingerprint(facts()))
