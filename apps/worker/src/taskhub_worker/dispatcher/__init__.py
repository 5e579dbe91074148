"""The process that feeds the broker and SQS from PostgreSQL, and mends what was lost. Any number may run."""
