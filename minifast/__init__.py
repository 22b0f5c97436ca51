"""Deep learning from the foundations: the package that the book grows.

Import what you need from the module that holds it, as the chapters do::

    from minifast.foundations.matmul import matmul
    from minifast.data import load_mnist

Importing ``minifast`` itself does nothing but say the version.
"""

__version__ = "0.1.0"
