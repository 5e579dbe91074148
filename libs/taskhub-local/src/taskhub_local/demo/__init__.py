"""`taskhub demo`: drives the main job end to end against the running platform, on real files."""
