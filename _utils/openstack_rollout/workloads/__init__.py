"""Workloads of a cloud: how they leave nodes and come back, through OpenStack's own API."""
