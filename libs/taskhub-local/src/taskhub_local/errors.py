"""What can go wrong on one machine, as errors that say what to do."""


class LocalError(Exception):
    """The base of every error of the local platform; its text is written for the person at the terminal."""


class PartFailedError(LocalError):
    """A part ended, or did not become ready in time."""


class PartUnavailableError(LocalError):
    """A part cannot run on this machine (a program it needs is missing). The platform goes on without it if it can."""


class AlreadyRunningError(LocalError):
    """Another `taskhub up` holds the state folder."""


class NotRunningError(LocalError):
    """No `taskhub up` runs for this state folder."""
