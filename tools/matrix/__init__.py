"""The failure matrix: reads failure-modes.yaml, proves that each cell of it holds, and writes docs/failure-modes.md."""
