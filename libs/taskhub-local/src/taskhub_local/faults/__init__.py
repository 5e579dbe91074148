"""The fault driver: loads the platform, breaks a part of it, and judges what became of every request."""
