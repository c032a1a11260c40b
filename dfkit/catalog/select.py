"""Which rules run, and how grave each is: the profile, then what the user says."""

from __future__ import annotations

from dfkit._record import replace
from dfkit.catalog.rule import OFF, ON
from dfkit.errors import UsageError
from dfkit.text.settings import PROFILES, TOOLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dfkit.catalog.catalog import Catalog
    from dfkit.catalog.rule import Rule
    from dfkit.text.settings import Settings


class Selection:
    """Chosen rules of a catalog."""

    def __init__(self, catalog: Catalog, rules: tuple[Rule, ...]) -> None:
        self.catalog = catalog
        self.rules = rules

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    def __len__(self) -> int:
        return len(self.rules)

    def where(self, chosen: Callable[[Rule], bool]) -> Selection:
        """Those rules for which `chosen` is true."""
        return Selection(self.catalog, tuple([rule for rule in self.rules if chosen(rule)]))


def select(catalog: Catalog, settings: Settings) -> Selection:
    """The rules that the settings ask for, each with its severity.

    Raises `dfkit.errors.UsageError` if they name a profile or a rule that does not exist.
    """
    profile = settings.profile
    if profile not in PROFILES:
        raise UsageError(f"there is no profile `{profile}`; there are {', '.join(PROFILES)}")
    wanted = _found(catalog, settings.select)
    unwanted = _found(catalog, settings.ignore)
    severities = {rule: severity for name, severity in settings.severities for rule in _found(catalog, (name,))}
    chosen = []
    for rule in catalog.rules:
        if rule.name in unwanted or not (rule.name in wanted or in_profile(rule, profile)):
            continue
        rule = _as_profile(rule, profile)
        if rule.name in severities:
            rule = replace(rule, severity=severities[rule.name], firm=True)
        chosen.append(rule)
    return Selection(catalog, tuple(chosen))


def in_profile(rule: Rule, profile: str) -> bool:
    """Whether a profile has a rule."""
    stated = dict(rule.profiles).get(profile) if rule.profiles else None
    if stated is not None:
        return stated != OFF
    if profile == "hadolint":
        return rule.code.startswith("DL") or bool(rule.known_as(profile))
    if profile == "buildkit":
        return bool(rule.known_as(profile))
    return profile != "security" or "security" in rule.tags


def _as_profile(rule: Rule, profile: str) -> Rule:
    imitates = profile in TOOLS
    if not (imitates or rule.profiles or rule.variations):
        return rule
    stated = dict(rule.profiles).get(profile, ON)
    severity = rule.severity if stated in (ON, OFF) else stated
    firm = imitates or stated not in (ON, OFF)
    names = rule.known_as(profile)
    code = names[0] if names and not (profile == "hadolint" and rule.code.startswith("DL")) else rule.code
    varied = dict(rule.variations).get(profile)
    if varied is not None:
        uses, parameters, nodes, programs = varied
        rule = replace(rule, uses=uses, parameters=parameters, nodes=nodes, programs=programs)
    if (severity, firm, code) == (rule.severity, rule.firm, rule.code):
        return rule
    return replace(rule, severity=severity, firm=firm, code=code)


def _found(catalog: Catalog, names: tuple[str, ...]) -> set[str]:
    """The rules that names stand for, and codes of other tools' as they are."""
    found: set[str] = set()
    for name in names:
        keys = catalog.names.find(name)
        if not keys:
            raise UsageError(catalog.unknown(name))
        found |= keys
    return found
