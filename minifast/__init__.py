"""Deep learning from the foundations: the package that the book grows.

Import what you need from the module that holds it, as the chapters do::

    from minifast.foundations import matmul
    from minifast.datasets.mnist import load_mnist

Importing ``minifast`` itself does nothing but say the version.
"""

__version__ = "0.1.0"
