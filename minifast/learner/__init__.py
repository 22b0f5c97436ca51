"""The training loop, and what one does with a model around it.

``loop`` holds the loop, in one column; ``learner`` adds validation, prediction, saving.

Book: ch. 11, "The protocol".
"""

from minifast.learner.learner import Learner
from minifast.learner.loop import TrainingLoop

__all__ = ["Learner", "TrainingLoop"]
