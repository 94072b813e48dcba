"""The HorizontalPodAutoscaler's algorithm, without a cluster.

Source: Kubernetes documentation, Horizontal Pod Autoscaling: "Algorithm details" and "Configurable scaling behavior".
One metric; pods that have failed, and several metrics at once, are not covered.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Self

import yaml

SYNC_S: Final = 15.0
TOLERANCE: Final = 0.1
MANY: Final = 10_000


@dataclass(frozen=True, slots=True)
class Policy:
    """By how much the number of pods may change within ``period_s``: pods, or percent of those at its beginning."""

    kind: Literal["Pods", "Percent"]
    value: int
    period_s: float


@dataclass(frozen=True, slots=True)
class Rules:
    """One direction. Of several policies, the one that allows the most counts (``selectPolicy: Max``)."""

    window_s: float
    policies: tuple[Policy, ...]

    @classmethod
    def of(cls, behavior: dict[str, Any], default: Self) -> Self:
        window = behavior.get("stabilizationWindowSeconds", default.window_s)
        policies = tuple(
            Policy(each["type"], each["value"], each["periodSeconds"]) for each in behavior.get("policies", [])
        )
        return cls(window, policies or default.policies)


DEFAULT_UP: Final = Rules(0, (Policy("Percent", 100, 15), Policy("Pods", 4, 15)))
DEFAULT_DOWN: Final = Rules(300, (Policy("Percent", 100, 15),))


@dataclass(frozen=True, slots=True)
class Spec:
    """What an autoscaler is told. ``target``: of the metric's average over the pods."""

    target: float
    least: int = 1
    most: int = MANY
    up: Rules = DEFAULT_UP
    down: Rules = DEFAULT_DOWN

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a manifest with one metric: CPU as a share of the request, or an average value of the pods."""
        spec = yaml.safe_load(path.read_text())["spec"]
        (metric,) = spec["metrics"]
        if metric["type"] == "Resource":
            target = metric["resource"]["target"]["averageUtilization"] / 100
        else:
            target = float(metric["pods"]["target"]["averageValue"])
        behavior = spec.get("behavior", {})
        up = Rules.of(behavior.get("scaleUp", {}), DEFAULT_UP)
        down = Rules.of(behavior.get("scaleDown", {}), DEFAULT_DOWN)
        return cls(target, spec["minReplicas"], spec["maxReplicas"], up, down)


def recommendation(
    current: int, measured: Sequence[float], target: float, *, missing: int = 0, unready: int = 0
) -> int:
    """How many pods the metric asks for.

    ``measured``: of the pods that have a value. ``missing``: pods without one; they count as at the target when that
    would take pods away, as 0 when it would add some. ``unready``: pods that are starting; they count as 0 when pods
    would be added. (Kubernetes sets starting pods aside for CPU only.)
    """
    if not measured:
        return current
    ratio = sum(measured) / len(measured) / target
    values = list(measured)
    values += [target if ratio < 1 else 0.0] * missing
    values += [0.0] * unready if ratio > 1 else []
    damped = sum(values) / len(values) / target
    reversed_ = (ratio - 1) * (damped - 1) < 0
    if reversed_ or abs(damped - 1) <= TOLERANCE:
        return current
    # A hair less, so that what is whole but for rounding is not rounded up.
    wanted = math.ceil(damped * len(values) - 1e-9)
    return max(current, wanted) if damped > 1 else min(current, wanted)


@dataclass(slots=True)
class Autoscaler:
    """Turns recommendations into numbers of pods, with what it remembers of its past."""

    spec: Spec
    _recommended: list[tuple[float, int]] = field(default_factory=list)
    _changes: list[tuple[float, int]] = field(default_factory=list)

    def decide(self, now: float, current: int, wanted: int) -> int:
        """How many pods there shall be from now on. ``now`` in seconds, growing from call to call."""
        if not self._recommended:
            self._recommended.append((now, current))
        stable = self._stabilized(now, current, wanted)
        self._recommended.append((now, wanted))
        decided = min(max(self._limited(now, current, stable), self.spec.least), self.spec.most)
        if decided != current:
            self._changes.append((now, decided - current))
        return decided

    def _stabilized(self, now: float, current: int, wanted: int) -> int:
        """Up to the lowest, or down to the highest, of what was recommended within the window of each direction."""
        up = min([wanted, *self._within(now, self.spec.up.window_s)])
        down = max([wanted, *self._within(now, self.spec.down.window_s)])
        return min(max(current, up), down)

    def _within(self, now: float, window_s: float) -> list[int]:
        return [wanted for at, wanted in self._recommended if at > now - window_s]

    def _limited(self, now: float, current: int, wanted: int) -> int:
        if wanted > current:
            most = max(self._most(now, current, policy) for policy in self.spec.up.policies)
            return min(wanted, max(most, current))
        if wanted < current:
            least = min(self._least(now, current, policy) for policy in self.spec.down.policies)
            return max(wanted, min(least, current))
        return current

    def _most(self, now: float, current: int, policy: Policy) -> int:
        start = current - self._changed(now, policy.period_s)
        return start + policy.value if policy.kind == "Pods" else math.ceil(start * (1 + policy.value / 100))

    def _least(self, now: float, current: int, policy: Policy) -> int:
        start = current - self._changed(now, policy.period_s)
        return start - policy.value if policy.kind == "Pods" else int(start * (1 - policy.value / 100))

    def _changed(self, now: float, period_s: float) -> int:
        """Pods added, less those taken away, within the period."""
        return sum(change for at, change in self._changes if at > now - period_s)
