"""The parts of the platform, one module each: real servers from packages, and the apps themselves."""
