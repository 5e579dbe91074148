"""Where things lie: what was built or fetched (per user, kept), and the cluster's state (per clone, disposable)."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent
STATE = ROOT / ".taskhub" / "cluster"
KUBECONFIG = STATE / "kubeconfig"


def cache() -> Path:
    """The folder of everything that is built or fetched: $XDG_CACHE_HOME/taskhub/cluster, or under ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "taskhub" / "cluster"
