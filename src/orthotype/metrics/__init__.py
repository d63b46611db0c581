"""How good labels are: tables, scores with intervals, calibration. Knows labels and probabilities only.

One orientation everywhere: rows are the true classes, columns the predicted ones, and every score is computed
from the labels of the cells, never from a table that might have been turned. A predicted *no agreement* or
*unknown* is never a hit: it lowers the recall of the true class and the precision of none.
"""

from orthotype.metrics.calibration import expected_calibration_error, reliability, softmax_entropy
from orthotype.metrics.evaluation import evaluate
from orthotype.metrics.result import Evaluation
from orthotype.metrics.tables import accuracy, confusion, macro_f1, mean_recall, per_class

__all__ = [
    "Evaluation",
    "accuracy",
    "confusion",
    "evaluate",
    "expected_calibration_error",
    "macro_f1",
    "mean_recall",
    "per_class",
    "reliability",
    "softmax_entropy",
]
