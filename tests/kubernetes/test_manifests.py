"""Rules over what is applied to a cluster, beyond what its schemas can see."""

import re
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from assistant.config import Settings
from tests.kubernetes.rendered import (
    EVERYTHING,
    OVERLAYS,
    RENDERINGS,
    Object,
    Workload,
    claims_of,
    job,
    jobs_for,
    named,
    of_kind,
    rendering,
    selects,
    workload,
    workloads,
)

MARGIN_S = 10
UNITS = {"m": 1e-3, "": 1.0, "Mi": 2.0**20, "Gi": 2.0**30}

pytestmark = pytest.mark.parametrize("name", RENDERINGS)


def quantity(text: str) -> float:
    number = text.rstrip("mMiG")
    return float(number) * UNITS[text.removeprefix(number)]


def all_workloads(name: str) -> list[Workload]:
    return [*workloads(rendering(name)), *workloads(jobs_for(name))]


def test_names_are_unique_and_short_enough(name: str) -> None:
    keys = [(item["kind"], item["metadata"]["name"]) for item in rendering(name)]
    assert len(keys) == len(set(keys))
    for kind, object_name in keys:
        assert len(object_name) <= (52 if kind == "CronJob" else 63)
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", object_name)


def test_everything_is_in_our_namespace(name: str) -> None:
    cluster_wide = {"Namespace", "PriorityClass", "StorageClass", "PersistentVolume"}
    for item in rendering(name):
        expected = None if item["kind"] in cluster_wide else "codellama"
        assert item["metadata"].get("namespace") == expected


def test_the_namespace_enforces_restricted(name: str) -> None:
    labels = named(rendering(name), "Namespace", "codellama")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_every_container_is_restricted_and_its_root_is_read_only(name: str) -> None:
    for item in all_workloads(name):
        pod = item.pod["securityContext"]
        assert pod["runAsNonRoot"] is True
        assert pod["runAsUser"] > 0
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & item.pod.keys()
        allowed = {"name", "emptyDir", "persistentVolumeClaim", "configMap", "secret", "projected", "downwardAPI"}
        assert all(volume.keys() <= allowed for volume in item.pod.get("volumes", []))
        for container in item.containers:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_no_pod_holds_a_token(name: str) -> None:
    for item in all_workloads(name):
        assert item.pod["automountServiceAccountToken"] is False
        account = named(rendering(name), "ServiceAccount", item.pod["serviceAccountName"])
        assert account["automountServiceAccountToken"] is False


def test_every_image_has_a_tag_and_a_pull_policy(name: str) -> None:
    for item in all_workloads(name):
        for container in item.containers:
            tag = container["image"].rpartition("/")[2].partition(":")[2]
            assert tag
            assert tag != "latest"
            assert container["imagePullPolicy"] == "IfNotPresent"


def test_requests_are_within_limits(name: str) -> None:
    for item in all_workloads(name):
        for container in item.containers:
            requests, limits = container["resources"]["requests"], container["resources"]["limits"]
            assert requests.keys() == limits.keys() == {"cpu", "memory"}
            assert all(quantity(requests[key]) <= quantity(limits[key]) for key in limits)


def test_selectors_match_their_own_pods_only(name: str) -> None:
    pods = {item.name: item.labels for item in workloads(rendering(name))}
    for item in of_kind(rendering(name), "Deployment"):
        selector, own = item["spec"]["selector"], item["metadata"]["name"]
        assert [key for key, labels in pods.items() if selects(selector, labels)] == [own]
    for item in of_kind(rendering(name), "PodDisruptionBudget"):
        assert len([key for key, labels in pods.items() if selects(item["spec"]["selector"], labels)]) == 1


def test_services_reach_one_workload_on_a_port_that_it_opens(name: str) -> None:
    for service in of_kind(rendering(name), "Service"):
        selector = {"matchLabels": service["spec"]["selector"]}
        found = [item for item in workloads(rendering(name)) if selects(selector, item.labels)]
        assert len(found) == 1
        opened = {port["name"] for container in found[0].containers for port in container.get("ports", [])}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= opened


def test_probes_ask_ports_and_paths_that_exist(name: str) -> None:
    backend = workload(rendering(name), "codellama-deployment").pod["containers"][0]
    assert backend["readinessProbe"]["httpGet"]["path"] == "/ready"
    assert backend["livenessProbe"]["httpGet"]["path"] == "/health"
    startup = backend["startupProbe"]
    assert startup["failureThreshold"] * startup["periodSeconds"] >= 30 * 60
    for item in of_kind(rendering(name), "Deployment"):
        for container in item["spec"]["template"]["spec"]["containers"]:
            opened = {port["name"] for port in container["ports"]}
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                assert container[probe].get("httpGet", {"port": next(iter(opened))})["port"] in opened


@pytest.mark.parametrize("deployment", ["codellama-deployment", "codellama-frontend-deployment"])
def test_a_pod_that_ends_has_time_for_the_longest_stream(name: str, deployment: str) -> None:
    pod = workload(rendering(name), deployment).pod
    config = named(rendering(name), "ConfigMap", "codellama-config")["data"]
    longest = float(config["QUEUE_MAX_WAIT_S"]) + float(config["MAX_GENERATION_S"])
    pre_stop = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] >= pre_stop + longest + MARGIN_S


def test_a_rollout_never_has_fewer_pods_than_before(name: str) -> None:
    for deployment in ("codellama-deployment", "codellama-frontend-deployment"):
        strategy = named(rendering(name), "Deployment", deployment)["spec"]["strategy"]
        assert strategy["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert named(rendering(name), "Deployment", "postgres-deployment")["spec"]["strategy"]["type"] == "Recreate"


def test_a_disruption_budget_never_blocks_the_drain_of_the_only_pod(name: str) -> None:
    for budget in of_kind(rendering(name), "PodDisruptionBudget"):
        assert budget["spec"]["maxUnavailable"] >= 1
        assert "minAvailable" not in budget["spec"]


def test_an_autoscaler_owns_the_number_of_pods_alone(name: str) -> None:
    for scaler in of_kind(rendering(name), "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        assert "replicas" not in named(rendering(name), target["kind"], target["name"])["spec"]
        assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (1, 5)
    assert "replicas" not in named(rendering(name), "Deployment", "codellama-deployment")["spec"]


def test_mounts_have_volumes_and_claims_exist(name: str) -> None:
    for item in all_workloads(name):
        volumes = {volume["name"]: volume for volume in item.pod["volumes"]}
        for container in item.containers:
            assert {mount["name"] for mount in container.get("volumeMounts", [])} <= volumes.keys()
            assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}
        for volume in volumes.values():
            if claim := volume.get("persistentVolumeClaim"):
                named(rendering(name), "PersistentVolumeClaim", claim["claimName"])


def test_a_volume_of_one_node_is_used_on_one_node(name: str) -> None:
    if name not in [*OVERLAYS, *EVERYTHING]:
        return
    for claim in of_kind(rendering(name), "PersistentVolumeClaim"):
        users = [item for item in workloads(rendering(name)) if claim["metadata"]["name"] in claims_of(item)]
        assert users
        if claim["spec"]["accessModes"] == ["ReadWriteOnce"] and len(users) > 1:
            assert {_node_mate(item) for item in users} == {"codellama-backend"}


def _node_mate(item: Workload) -> str:
    rules = item.pod["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert rules[0]["topologyKey"] == "kubernetes.io/hostname"
    label: str = rules[0]["labelSelector"]["matchLabels"]["app.kubernetes.io/name"]
    return label


def test_claims_keep_their_data_when_deleted(name: str) -> None:
    for claim in of_kind(rendering(name), "PersistentVolumeClaim"):
        assert claim["spec"]["storageClassName"] == "standard-retain"
    for volume in of_kind(rendering(name), "PersistentVolume"):
        assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    for storage in of_kind(rendering(name), "StorageClass"):
        assert (storage["metadata"]["name"], storage["reclaimPolicy"]) == ("standard-retain", "Retain")


def test_configuration_comes_from_objects_that_exist(name: str) -> None:
    made_by_script = {"DATABASE_URL", "POSTGRES_PASSWORD", "ADMIN_EMAIL", "ADMIN_PASSWORD", "HF_TOKEN"}
    for item in all_workloads(name):
        for container in item.containers:
            for source in container.get("envFrom", []):
                named(rendering(name), "ConfigMap", source["configMapRef"]["name"])
            for variable in container.get("env", []):
                if secret := variable.get("valueFrom", {}).get("secretKeyRef"):
                    assert secret["name"] == "codellama-secrets"
                    assert secret["key"] in made_by_script


def test_the_configuration_is_read_by_the_backend_and_valid(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = named(rendering(name), "ConfigMap", "codellama-config")["data"]
    assert {key.lower() for key in config} <= Settings.model_fields.keys()
    for key, value in config.items():
        monkeypatch.setenv(key, value)
    settings = Settings(database_url="postgresql://codellama@postgres-service/codellama")
    opened = workload(rendering(name), "codellama-deployment").pod["containers"][0]["ports"][0]["containerPort"]
    assert settings.port == opened


def test_no_secret_is_in_the_repository(name: str) -> None:
    assert not of_kind(rendering(name), "Secret")
    for item in all_workloads(name):
        for variable in (entry for container in item.containers for entry in container.get("env", [])):
            if re.search("PASSWORD|TOKEN|SECRET|DATABASE_URL", variable["name"]):
                assert "value" not in variable


def test_the_model_that_is_served_is_on_the_volume_that_the_weekly_run_sees(name: str) -> None:
    config = named(rendering(name), "ConfigMap", "codellama-config")["data"]
    assert Path(config["MODEL_PATH"]).is_relative_to(config["MODELS_DIR"])
    for item in all_workloads(name):
        if "codellama-pvc" in claims_of(item):
            paths = {mount["mountPath"]: mount["name"] for mount in item.pod["containers"][0]["volumeMounts"]}
            assert paths[config["MODELS_DIR"]] in ("models", "weights")  # or copies of what is there


def test_a_pod_puts_the_model_onto_the_volume_or_looks_for_it_before_it_serves(name: str) -> None:
    config = named(rendering(name), "ConfigMap", "codellama-config")["data"]
    containers = {
        item["name"]: item for item in workload(rendering(name), "codellama-deployment").pod["initContainers"]
    }
    if placed := containers.get("demo-model"):
        assert f"model={config['MODEL_PATH']}\n" in placed["command"][-1]
    else:
        assert containers["model-file"]["env"][0]["valueFrom"]["configMapKeyRef"]["key"] == "MODEL_PATH"
    for container in containers.values():
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert container["name"] == "weights" or mounts.get("models", config["MODELS_DIR"]) == config["MODELS_DIR"]


def test_each_pod_spools_into_a_folder_of_its_own(name: str) -> None:
    backend = workload(rendering(name), "codellama-deployment").pod["containers"][0]
    env = {entry["name"]: entry for entry in backend["env"]}
    assert env["POD_NAME"]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
    assert env["SPOOL_DIR"]["value"] == "/models/spool/$(POD_NAME)"


def test_the_weekly_run_is_scheduled_as_promised(name: str) -> None:
    spec = named(rendering(name), "CronJob", "codellama-fine-tune-cron")["spec"]
    assert (spec["schedule"], spec["timeZone"]) == ("0 2 * * 0", "Etc/UTC")


def test_schedules_can_be_read_and_their_runs_do_not_overlap(name: str) -> None:
    limits = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)]
    for spec in (item["spec"] for item in of_kind(rendering(name), "CronJob")):
        for field, (low, high) in zip(spec["schedule"].split(), limits, strict=True):
            assert field == "*" or low <= int(field) <= high
        assert ZoneInfo(spec["timeZone"]).key == "Etc/UTC"
        assert spec["concurrencyPolicy"] == "Forbid"
        assert spec["startingDeadlineSeconds"] >= 3600


def test_a_run_gives_way_and_is_not_repeated_in_vain(name: str) -> None:
    classes = {item["metadata"]["name"]: item for item in of_kind(rendering(name), "PriorityClass")}
    for item in (run for run in all_workloads(name) if run.labels["app.kubernetes.io/name"] == "codellama-fine-tune"):
        assert item.pod["terminationGracePeriodSeconds"] == 600
        assert item.pod["restartPolicy"] == "Never"
        assert item.spec["activeDeadlineSeconds"] == 5 * 24 * 3600
        evicted, in_vain = item.spec["podFailurePolicy"]["rules"]
        assert (evicted["action"], evicted["onPodConditions"][0]["type"]) == ("Ignore", "DisruptionTarget")
        assert (in_vain["action"], in_vain["onExitCodes"]["values"]) == ("FailJob", [3, 64, 65, 78])
        assert classes[item.pod["priorityClassName"]]["value"] < 0
        assert classes[item.pod["priorityClassName"]]["preemptionPolicy"] == "Never"


def test_the_job_on_demand_is_the_weekly_one(name: str) -> None:
    if name != "base":
        return
    weekly: Object = named(rendering(name), "CronJob", "codellama-fine-tune-cron")["spec"]["jobTemplate"]["spec"]
    now: dict[str, Any] = dict(job("fine-tune-job")["spec"])
    del now["ttlSecondsAfterFinished"]
    assert now == weekly
