"""Findings for GitLab's code quality report: Code Climate's issues as one JSON array.

https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
"""

from __future__ import annotations

import json

from dfkit.output.codeclimate import issues

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dfkit.catalog import Catalog
    from dfkit.lint import Report


def render(reports: Sequence[Report], catalog: Catalog) -> str:
    """One JSON text with a line end."""
    return json.dumps(list(issues(reports)), indent=2) + "\n"
