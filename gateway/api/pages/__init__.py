"""The pages for people: `/` to try the service by hand, `/experiments` to watch live traffic.

Static files without a build step, which ask the same API as everybody else.
"""
