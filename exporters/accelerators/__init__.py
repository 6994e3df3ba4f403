"""Targets that run on a GPU: rehearsed where there is none, proved where there is one."""
