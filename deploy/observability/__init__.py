"""What is watched: rules, alerts, their runbook, and the dashboards, which are built from code."""
