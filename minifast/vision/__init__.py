"""Images: the networks that look at them.

Book: ch. 13.
"""

from minifast.vision.cnn import simple_cnn

__all__ = ["simple_cnn"]
