"""What `taskhub` can do, one module a command."""
