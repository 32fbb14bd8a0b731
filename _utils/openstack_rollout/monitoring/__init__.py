"""A cloud's own monitoring: Prometheus and Alertmanager, by their HTTP interfaces."""
