"""What the library does by default, beside the usual baselines: the jobs of ``benchmarks/defaults.py``."""
