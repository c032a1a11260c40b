"""Settings for all tests."""

import signal

from hypothesis import settings

# A shell starts what runs in the background with Ctrl-C switched off, and programs that tests interrupt would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A deadline per example makes a slow machine fail; timings belong in benchmarks.
settings.register_profile("dfkit", deadline=None)
settings.load_profile("dfkit")
