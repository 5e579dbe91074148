"""Makes a real Kubernetes cluster on this machine and installs TaskHub into it: `python -m tests.e2e.cluster up`."""
