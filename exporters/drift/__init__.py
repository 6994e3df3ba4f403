"""Drift: the reference that a variant is published with, and the report over captured traffic.

`sources` fits references of trained variants; `report` judges what a gateway captured. The tests
themselves are `gateway.contract.drift`, so that gateway and report mean the same.
"""
