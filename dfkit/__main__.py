"""`python -m dfkit`."""

from __future__ import annotations

from dfkit.cli import main

raise SystemExit(main())
