"""Draws the dashboards where there is no Grafana: same JSON, same layout, same queries, from a live Prometheus."""
