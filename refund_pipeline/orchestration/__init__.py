"""Partitions, assets, jobs, sensors and checks: the only room that imports Dagster."""
