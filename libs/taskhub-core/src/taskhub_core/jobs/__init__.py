"""The job engine: what a job is, how it is submitted, claimed, renewed, completed, retried, rescued and dispatched."""
