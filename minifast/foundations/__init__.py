"""The code of lesson 8, from scratch: matrix products, and gradients by hand.

Nothing here uses ``torch.nn`` or torch's own gradients: tensors are arrays of numbers
that can be indexed, added and multiplied, and the rest is built on that.

Book: ch. 01 to ch. 03.
"""
