"""Print a fingerprint of all that any page may depend on, for the key of a cache in CI.

``PYTHONPATH=book/_ext python -m minifast_book``
"""

from minifast_book.available import describe
from minifast_book.console import say
from minifast_book.fingerprint import facts, fingerprint, sources

if __name__ == "__main__":
    everything = sources().everything()
    say(fingerprint([facts(), everything, describe("", everything)]))
