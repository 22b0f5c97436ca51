"""The training loop, in one class.

Book: ch. 11, "The Learner".
"""

from minifast.learner.learner import Learner

__all__ = ["Learner"]
