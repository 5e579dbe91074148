"""What watches TaskHub: rules, SLOs, dashboards, and the runbooks they link to."""
