"""What a Dockerfile means: stages, values, state, what is read and written."""

from __future__ import annotations

from dfkit.model.model import Model
from dfkit.model.scope import Binding, Scope
from dfkit.model.stages import Reference, Stage
from dfkit.model.state import State

__all__ = ["Binding", "Model", "Reference", "Scope", "Stage", "State"]
