"""What a process tells about itself: logs, metrics, traces and health, and the context that ties them together."""
