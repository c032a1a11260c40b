"""Settings for all tests."""

from hypothesis import settings

# A deadline per example makes a slow machine fail; timings belong in benchmarks.
settings.register_profile("dfkit", deadline=None)
settings.load_profile("dfkit")
