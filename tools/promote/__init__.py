"""Promotes a version from one environment to another, and shows what that changes in the cluster."""
