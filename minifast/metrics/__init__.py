"""Numbers for people to judge by, added up where the data is.

Asking a GPU for a number makes the program wait until everything queued before it is
done. So ``update`` only adds tensors up on their device; ``value`` asks, once an epoch.

Book: ch. 08, 10 and 11.
"""

from minifast.metrics.average import Average, Mean, Metric, accuracy
from minifast.metrics.running_stats import RunningStats

__all__ = ["Average", "Mean", "Metric", "RunningStats", "accuracy"]
