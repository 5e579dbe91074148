"""The dashboards: Python here, JSON for Grafana in json/. `python -m observability.dashboards write` makes the JSON."""
