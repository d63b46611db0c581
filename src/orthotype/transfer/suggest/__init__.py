"""Which cells to label next: a sample, the choice among it, the reasons in words."""
