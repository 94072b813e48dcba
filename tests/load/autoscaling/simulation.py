"""Pods that answer, an autoscaler that counts them, and load that comes: in small steps of time, without chance.

Requests are amounts rather than single ones, so a run is the average of many. A pod answers one request at its own
speed, several together faster, up to a rate; new requests are spread evenly over the pods that are ready, and stay
where they came to. What would wait longer than the queue allows is refused. A pod that is taken away finishes first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from tests.load.autoscaling.hpa import SYNC_S, Autoscaler, Spec, recommendation

STEP_S: Final = 0.1
STEPS: Final = 10
"""As many as there are between two moments that are written down."""
MOMENT_S: Final = STEP_S * STEPS
Metric = Literal["in flight", "CPU"]


@dataclass(frozen=True, slots=True)
class Service:
    """``rate``: requests a second that a busy pod finishes; ``alone_s``: how long one takes that is alone.

    ``start_s``: from the decision for a pod until it is ready. ``lag_s``: age of what the autoscaler sees.
    ``cpus`` and ``request``: what a busy pod uses, and what its manifest requests.
    """

    rate: float = 5.0
    alone_s: float = 0.5
    queue_s: float = 120.0
    start_s: float = 90.0
    lag_s: float = 15.0
    cpus: float = 8.0
    request: float = 4.0

    def finished(self, in_flight: float) -> float:
        """Requests that a pod finishes in a step."""
        return min(in_flight, min(in_flight / self.alone_s, self.rate) * STEP_S)

    def utilization(self, in_flight: float) -> float:
        """CPU as a share of the request: one request keeps all threads busy, for as long as it is there."""
        return min(in_flight, 1.0) * self.cpus / self.request


@dataclass(frozen=True, slots=True)
class Load:
    """Requests a second, as a function of the seconds since the beginning. ``changes_at``: when it first rises."""

    name: str
    seconds: float
    rate: Callable[[float], float]
    changes_at: float = 0.0


def steady(rate: float = 2, seconds: float = 3600) -> Load:
    return Load(f"{rate:g} requests a second for {seconds / 3600:g} h", seconds, lambda _: rate, changes_at=seconds - 1)


def spike(low: float = 2, high: float = 20, lasting: float = 30, before: float = 900, after: float = 2700) -> Load:
    """Low, then high for a while, then low again."""
    return Load(
        f"spike: {low:g} → {high:g} → {low:g} requests a second, {lasting:g} s", before + lasting + after,
        lambda at: high if before <= at < before + lasting else low, changes_at=before,
    )  # fmt: skip


def stress(most: float = 30, step: float = 3, step_s: float = 60, after: float = 3000) -> Load:
    """A step more each time, up to the most; then nothing."""
    top = most / step * step_s
    return Load(
        f"stress: {step:g} more each {step_s:g} s, up to {most:g} requests a second", top + after,
        lambda at: step * (at // step_s + 1) if at < top else 0.0,
    )  # fmt: skip


@dataclass(slots=True)
class Pod:
    ready_at: float
    in_flight: float = 0.0
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """``pods`` are those that the autoscaler wants, ``ready`` those that answer; ``refused`` until the next moment."""

    at: float
    offered: float
    pods: int
    ready: int
    in_flight: float
    refused: float


@dataclass(frozen=True, slots=True)
class Run:
    """What happened under one load with one metric."""

    load: Load
    metric: Metric
    moments: Sequence[Moment] = field(repr=False)

    @property
    def pod_hours(self) -> float:
        return sum(each.pods for each in self.moments) * MOMENT_S / 3600

    @property
    def refused(self) -> float:
        return sum(each.refused for each in self.moments)

    @property
    def most_in_flight(self) -> float:
        return max(each.in_flight for each in self.moments)

    @property
    def waited_s(self) -> float:
        """How long a request was in the system, on the average."""
        done = sum(each.offered * MOMENT_S for each in self.moments) - self.refused
        return sum(each.in_flight for each in self.moments) * MOMENT_S / done

    @property
    def pods_before(self) -> int:
        """As many as there are when the load first rises."""
        return self.moments[round(self.load.changes_at / MOMENT_S)].pods

    @property
    def most_pods(self) -> int:
        return max(each.pods for each in self.moments)

    @property
    def most_after_s(self) -> float:
        """How long after the load rose there are as many pods as there will be."""
        return next(each.at for each in self.moments if each.pods == self.most_pods) - self.load.changes_at


class Simulation:
    """One Deployment under one autoscaler."""

    def __init__(self, service: Service, spec: Spec, metric: Metric) -> None:
        self._service, self._spec, self._metric = service, spec, metric
        self._scaler = Autoscaler(spec)
        self._pods = [Pod(ready_at=0.0) for _ in range(spec.least)]
        self._seen: list[tuple[list[float], int]] = []

    def run(self, load: Load) -> Run:
        moments = []
        for first in range(0, round(load.seconds / STEP_S), STEPS):
            steps = [self._step(step, load) for step in range(first, first + STEPS)]
            moments.append(replace(steps[0], refused=sum(each.refused for each in steps)))
        return Run(load, self._metric, moments)

    def _step(self, step: int, load: Load) -> Moment:
        now = step * STEP_S
        ready = [pod for pod in self._pods if pod.ready_at <= now and not pod.leaving]
        offered = load.rate(now)
        refused = sum(self._arrive(pod, offered * STEP_S / len(ready)) for pod in ready)
        in_flight = sum(pod.in_flight for pod in self._pods)
        self._seen.append(self._measured(now))
        for pod in self._pods:
            pod.in_flight -= self._service.finished(pod.in_flight)
        self._pods = [pod for pod in self._pods if not pod.leaving or pod.in_flight > 1e-3]
        if step % round(SYNC_S / STEP_S) == 0:
            self._scale(now)
        return Moment(now, offered, len(self._staying), len(ready), in_flight, refused)

    @property
    def _staying(self) -> list[Pod]:
        return [pod for pod in self._pods if not pod.leaving]

    def _arrive(self, pod: Pod, amount: float) -> float:
        """How much of it is refused."""
        room = max(self._service.queue_s * self._service.rate - pod.in_flight, 0.0)
        pod.in_flight += min(amount, room)
        return max(amount - room, 0.0)

    def _measured(self, now: float) -> tuple[list[float], int]:
        """The metric of each pod that has one, and how many pods are set aside because they start."""
        ready = [pod.in_flight for pod in self._staying if pod.ready_at <= now]
        starting = len(self._staying) - len(ready)
        if self._metric == "CPU":
            return [self._service.utilization(each) for each in ready], starting
        return ready + [0.0] * starting, 0

    def _scale(self, now: float) -> None:
        measured, unready = self._seen[max(len(self._seen) - 1 - round(self._service.lag_s / STEP_S), 0)]
        staying = self._staying
        wanted = recommendation(len(staying), measured, self._spec.target, unready=unready)
        decided = self._scaler.decide(now, len(staying), wanted)
        for _ in range(decided - len(staying)):
            self._pods.append(Pod(ready_at=now + self._service.start_s))
        newest_first = sorted(staying, key=lambda pod: -pod.ready_at)
        for pod in newest_first[: max(len(staying) - decided, 0)]:
            pod.leaving = True
