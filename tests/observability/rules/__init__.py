"""The rules: what they watch, when they fire, and that their tests would notice a change."""
