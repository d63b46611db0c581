"""One self-contained HTML file that a biologist can read: what went in, what came out, how sure, how made."""

from orthotype.report.annotation import report_annotation
from orthotype.report.write import write_report

__all__ = ["report_annotation", "write_report"]
