"""What the reducer costs, beside what others cost: ``python -m benchmarks``. See README.md."""
