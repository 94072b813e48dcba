"""How many pods there are over time, by requests in flight and by CPU: python -m tests.load.autoscaling

Nothing is measured: pods of a given speed under the load of the spike and stress tests, and the autoscalers of
kubernetes/components as Kubernetes documents what it does with them. Prints a table and draws autoscaling.svg.
"""

import argparse
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Final

from tests.load.autoscaling.graph import draw
from tests.load.autoscaling.hpa import Spec
from tests.load.autoscaling.simulation import Load, Metric, Run, Service, Simulation, spike, steady, stress

FOLDER: Final = Path(__file__).resolve().parent
COMPONENTS: Final = FOLDER.parents[2] / "kubernetes" / "components"
PICTURE: Final = FOLDER.parent / "autoscaling.svg"
MANIFESTS: Final[dict[Metric, Path]] = {
    "in flight": COMPONENTS / "hpa-inflight" / "codellama-hpa.yaml",
    "CPU": COMPONENTS / "hpa-cpu" / "codellama-hpa.yaml",
}
UNITS: Final = {
    "rate": "requests a second that a busy pod finishes", "alone_s": "seconds of a request that is alone",
    "queue_s": "QUEUE_MAX_WAIT_S", "start_s": "seconds from the decision for a pod until it is ready",
    "lag_s": "age of the metric in seconds", "cpus": "CPUs that a busy pod uses", "request": "CPUs that it requests",
}  # fmt: skip


def simulate(service: Service, loads: list[Load]) -> list[list[Run]]:
    """Each load under each metric."""
    specs = {metric: Spec.read(path) for metric, path in MANIFESTS.items()}
    return [[Simulation(service, spec, metric).run(load) for metric, spec in specs.items()] for load in loads]


def table(groups: list[list[Run]]) -> str:
    """As Markdown."""
    head = ("load", "by", "pods before", "most pods", "after", "pod hours", "most in flight", "mean time", "refused")
    lines = [_row(head), _row(["---"] * len(head))]
    for run in (run for runs in groups for run in runs):
        rose = run.most_pods > run.pods_before
        lines.append(
            _row([
                run.load.name, run.metric, str(run.pods_before), str(run.most_pods),
                f"{run.most_after_s / 60:.1f} min" if rose else "", f"{run.pod_hours:.1f}", f"{run.most_in_flight:.0f}",
                f"{run.waited_s:.1f} s", f"{run.refused:.0f}",
            ])
        )  # fmt: skip
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.load.autoscaling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for each in fields(Service):
        name = f"--{each.name.replace('_', '-')}"
        parser.add_argument(name, type=float, default=each.default, help=f"{UNITS[each.name]} (%(default)s)")
    parser.add_argument("--spike-rps", type=float, default=20, help="top of the spike (%(default)s)")
    parser.add_argument("--spike-duration", type=float, default=30, help="seconds of the spike (%(default)s)")
    parser.add_argument("--stress-max", type=float, default=30, help="last step of the stress (%(default)s)")
    parser.add_argument("--out", type=Path, default=PICTURE, help="where the picture goes")
    given = vars(parser.parse_args())
    service = Service(**{each.name: given[each.name] for each in fields(Service)})
    drawn = [spike(high=given["spike_rps"], lasting=given["spike_duration"]), stress(most=given["stress_max"])]
    groups = simulate(service, [steady(), *drawn])
    given["out"].write_text(draw(groups[1:]))
    print(table(groups))


if __name__ == "__main__":
    main()
