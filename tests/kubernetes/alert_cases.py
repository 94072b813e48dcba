"""What each alert is for, as series of a cluster: situations in which it has to fire, and others in which it must not.

Values are promtool's: ``0+5x60`` is 0, 5, 10 and so on for 60 steps, ``1x60`` stays at 1. The last letter of
``at`` says what a step is: see ``STEPS``.
"""

from typing import Final, NamedTuple


class Case(NamedTuple):
    """``at`` is when to look: after so long, ``alert`` is firing or not."""

    alert: str
    fires: bool
    at: str
    series: dict[str, str]


STEPS: Final = {"m": "1m", "h": "1h", "d": "6h"}
OURS: Final = 'namespace="codellama"'
POD, OTHER = (f'{OURS}, pod="codellama-deployment-{pod}"' for pod in ("a", "b"))
DEPLOYMENT: Final = f'kube_deployment_status_replicas_available{{{OURS}, deployment="codellama-deployment"}}'
IN_SYSTEM: Final = f"codellama_requests_in_system{{{POD}}}"
WAIT: Final = "codellama_predicted_wait_seconds"
REJECTED: Final = f'codellama_rejections_total{{{POD}, reason="queue_full"}}'
ANSWERED: Final = f'codellama_request_seconds_count{{{POD}, endpoint="/v1/completions"}}'
THROTTLED, PERIODS = (
    f'container_cpu_cfs_{name}_total{{{POD}, container="backend"}}' for name in ("throttled_periods", "periods")
)
FREE, SIZE = (
    f'kubelet_volume_stats_{name}_bytes{{{OURS}, persistentvolumeclaim="postgres-pvc"}}'
    for name in ("available", "capacity")
)
RUN: Final = f'{OURS}, job_name="codellama-fine-tune-cron-29"'
CREATED: Final = f"kube_job_created{{{RUN}}}"
WEEKLY: Final = f'{OURS}, cronjob="codellama-fine-tune-cron"'
NIGHTLY: Final = f'{OURS}, cronjob="codellama-backup"'


def champion(pod: str, version: str, alias: str = "champion") -> str:
    return f'codellama_model_version_info{{{pod}, alias="{alias}", version="v{version}", version_id="{version}"}}'


def http(route: str, status: int) -> str:
    return f'codellama_http_requests_total{{{POD}, method="POST", route="{route}", status="{status}"}}'


def failed(reason: str) -> str:
    return f'kube_job_status_failed{{{RUN}, reason="{reason}"}}'


JOB_FAILED: Final = f'kube_job_failed{{{RUN}, condition="true"}}'

CASES: Final = [
    Case("CodeLlamaDown", True, "10m", {DEPLOYMENT: "0x60"}),
    Case("CodeLlamaDown", False, "10m", {DEPLOYMENT: "1x60"}),
    Case("CodeLlamaDown", False, "10m", {DEPLOYMENT: "0x3 1x60"}),
    Case("CodeLlamaPodSilent", True, "10m", {f"up{{{POD}}}": "0x60"}),
    Case("CodeLlamaPodSilent", False, "10m", {f"up{{{POD}}}": "1x60", f'up{{{OURS}, pod="postgres-1"}}': "0x60"}),
    Case("CodeLlamaNotScraped", True, "20m", {"up": "1x60"}),
    Case("CodeLlamaNotScraped", False, "20m", {IN_SYSTEM: "0x60"}),
    Case("CodeLlamaNoChampion", True, "15m", {IN_SYSTEM: "0x60"}),
    Case("CodeLlamaNoChampion", True, "15m", {IN_SYSTEM: "0x60", champion(POD, "1", "challenger"): "1x60"}),
    Case("CodeLlamaNoChampion", False, "15m", {IN_SYSTEM: "0x60", champion(POD, "1"): "1x60"}),
    Case("CodeLlamaNoChampion", False, "15m", {}),
    Case("CodeLlamaVersionsDiffer", True, "20m", {champion(POD, "1"): "1x60", champion(OTHER, "2"): "1x60"}),
    Case("CodeLlamaVersionsDiffer", False, "20m", {champion(POD, "1"): "1x60", champion(OTHER, "1"): "1x60"}),
    Case(
        "CodeLlamaVersionsDiffer", False, "20m", {champion(POD, "1"): "1x60", champion(POD, "2", "challenger"): "1x60"}
    ),
    Case("CodeLlamaQueueWait", True, "10m", {f"{WAIT}{{{POD}}}": "61x60", f"{WAIT}{{{OTHER}}}": "0x60"}),
    Case("CodeLlamaQueueWait", False, "10m", {f"{WAIT}{{{POD}}}": "60x60"}),
    Case("CodeLlamaQueueWait", False, "10m", {f"{WAIT}{{{POD}}}": "90x3 5x60"}),
    Case("CodeLlamaTurningAway", True, "25m", {REJECTED: "0+6x60", ANSWERED: "0+94x60"}),
    Case("CodeLlamaTurningAway", True, "25m", {REJECTED: "0+6x60", ANSWERED: "0x60"}),
    Case("CodeLlamaTurningAway", False, "25m", {REJECTED: "0+4x60", ANSWERED: "0+96x60"}),
    Case("CodeLlamaTurningAway", False, "25m", {REJECTED: "0x60", ANSWERED: "0x60"}),
    Case("CodeLlamaErrors", True, "25m", {http("/v1/completions", 503): "0+6x60", http("/chat", 200): "0+94x60"}),
    Case("CodeLlamaErrors", False, "25m", {http("/v1/completions", 503): "0+4x60", http("/chat", 200): "0+96x60"}),
    Case("CodeLlamaErrors", False, "25m", {http("/chat", 429): "0+50x60", http("/chat", 200): "0+50x60"}),
    Case("CodeLlamaErrors", False, "25m", {http("/ready", 503): "0+50x60", http("/chat", 200): "0+1x60"}),
    Case("CodeLlamaDatabaseAway", True, "20m", {f"codellama_spooled_records_total{{{POD}}}": "0x5 1+1x60"}),
    Case("CodeLlamaDatabaseAway", False, "60m", {f"codellama_spooled_records_total{{{POD}}}": "0x5 7x60"}),
    Case(
        "CodeLlamaRestarting",
        True,
        "60m",
        {f'kube_pod_container_status_restarts_total{{{POD}, container="backend"}}': "0x10 1x10 2x10 3x10 4x30"},
    ),
    Case(
        "CodeLlamaRestarting",
        False,
        "60m",
        {f'kube_pod_container_status_restarts_total{{{POD}, container="backend"}}': "7x30 8x60"},
    ),
    Case("CodeLlamaThrottled", True, "30m", {THROTTLED: "0+200x60", PERIODS: "0+600x60"}),
    Case("CodeLlamaThrottled", False, "30m", {THROTTLED: "0+120x60", PERIODS: "0+600x60"}),
    Case(
        "CodeLlamaThreadsAboveQuota",
        True,
        "10m",
        {f"codellama_threads{{{POD}}}": "16x60", f"codellama_cpu_quota{{{POD}}}": "8x60"},
    ),
    Case(
        "CodeLlamaThreadsAboveQuota",
        False,
        "10m",
        {f"codellama_threads{{{POD}}}": "8x60", f"codellama_cpu_quota{{{POD}}}": "8x60"},
    ),
    Case(
        "CodeLlamaThreadsAboveQuota",
        False,
        "10m",
        {f"codellama_threads{{{POD}}}": "8x60", f"codellama_cpu_quota{{{POD}}}": "0x60"},
    ),
    Case("CodeLlamaVolumeFilling", True, "20m", {FREE: "9x60", SIZE: "100x60"}),
    Case("CodeLlamaVolumeFilling", False, "20m", {FREE: "11x60", SIZE: "100x60"}),
    Case("CodeLlamaFineTuneFailed", True, "5m", {failed("DeadlineExceeded"): "1x60", CREATED: "0x60"}),
    Case(
        "CodeLlamaFineTuneFailed",
        False,
        "5m",
        {failed("DeadlineExceeded"): "0x60", failed(""): "1x60", CREATED: "0x60"},
    ),
    Case("CodeLlamaFineTuneFailed", False, "8d", {failed("DeadlineExceeded"): "1x300", CREATED: "0x300"}),
    Case(
        "CodeLlamaFineTuneWithoutVersion",
        True,
        "5m",
        {JOB_FAILED: "1x60", failed("DeadlineExceeded"): "0x60", failed(""): "1x60", CREATED: "0x60"},
    ),
    Case(
        "CodeLlamaFineTuneWithoutVersion",
        False,
        "5m",
        {JOB_FAILED: "1x60", failed("DeadlineExceeded"): "1x60", CREATED: "0x60"},
    ),
    Case("CodeLlamaFineTuneWithoutVersion", False, "5m", {JOB_FAILED: "0x60", CREATED: "0x60"}),
    Case("CodeLlamaFineTuneWithoutVersion", False, "8d", {JOB_FAILED: "1x300", failed(""): "1x300", CREATED: "0x300"}),
    Case("CodeLlamaFineTuneOverdue", True, "9d", {f"kube_cronjob_created{{{WEEKLY}}}": "0x300"}),
    Case("CodeLlamaFineTuneOverdue", False, "7d", {f"kube_cronjob_created{{{WEEKLY}}}": "0x300"}),
    Case(
        "CodeLlamaFineTuneOverdue",
        False,
        "9d",
        {
            f"kube_cronjob_created{{{WEEKLY}}}": "0x300",
            f"kube_cronjob_status_last_schedule_time{{{WEEKLY}}}": "604800x300",
        },
    ),
    Case("CodeLlamaBackupOverdue", True, "38h", {f"kube_cronjob_created{{{NIGHTLY}}}": "0x300"}),
    Case(
        "CodeLlamaBackupOverdue",
        True,
        "62h",
        {
            f"kube_cronjob_created{{{NIGHTLY}}}": "0x300",
            f"kube_cronjob_status_last_successful_time{{{NIGHTLY}}}": "86400x300",
        },
    ),
    Case("CodeLlamaBackupOverdue", False, "35h", {f"kube_cronjob_created{{{NIGHTLY}}}": "0x300"}),
    Case("CodeLlamaBackupOverdue", False, "38h", {}),
]
