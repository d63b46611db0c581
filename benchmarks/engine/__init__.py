"""What the benchmarks of the engine share: problems, peers, measuring, tables."""
