"""Holds rendered Kubernetes manifests to the API's own schemas, strictly, and to the promises of docs/security.md.

    manifests.py --oldest 1.29 --newest 1.37 production=FILE.yaml chart=FILE.yaml …

Says everything that is wrong, each with the rendering and the resource. Custom resources are printed as JSON with
--custom, for custom_resources.mjs; their schemas are not known here.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

Resource = dict[str, Any]
CUSTOM = ("gateway.networking.k8s.io/", "monitoring.coreos.com/")


def label(resource: Resource) -> str:
    return f"{resource['kind']}/{resource['metadata']['name']}"


def is_custom(resource: Resource) -> bool:
    return resource["apiVersion"].startswith(CUSTOM)


def schema_problems(resource: Resource, versions: list[str]) -> Iterator[str]:
    if is_custom(resource):
        return
    for version in versions:
        try:
            kubernetes_validate.validate(resource, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            where = ".".join(str(step) for step in error.path)
            yield f"Kubernetes {version}: {where}: {error.message}"
        except kubernetes_validate.SchemaNotFoundError as error:
            yield f"Kubernetes {version}: {error.message}"


def pod_of(resource: Resource) -> Resource | None:
    if resource["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "Job"):
        return resource["spec"]["template"]
    return None


def confinement_problems(resource: Resource) -> Iterator[str]:
    """The restricted Pod Security Standard, and what we add to it."""
    pod = pod_of(resource)
    if pod is None:
        return
    spec = pod["spec"]
    general = spec.get("securityContext", {})
    if not general.get("runAsNonRoot") or not general.get("runAsUser"):
        yield "may run as root, or as a user without a number"
    if general.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "has no seccomp profile"
    if spec.get("automountServiceAccountToken") is not False:
        yield "is given the cluster's token"
    for shared in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(shared):
            yield f"has {shared}"
    if any("hostPath" in volume for volume in spec.get("volumes", [])):
        yield "mounts the host's file system"
    for container in spec["containers"] + spec.get("initContainers", []):
        yield from (f"container {container['name']} {problem}" for problem in container_problems(container))


def container_problems(container: Resource) -> Iterator[str]:
    own = container.get("securityContext", {})
    if own.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    if not own.get("readOnlyRootFilesystem"):
        yield "may write to its root"
    if own.get("capabilities", {}).get("drop") != ["ALL"] or own.get("capabilities", {}).get("add"):
        yield "keeps capabilities"
    resources = container.get("resources", {})
    if not {"cpu", "memory"} <= resources.get("requests", {}).keys() or "memory" not in resources.get("limits", {}):
        yield "has no requests for CPU and memory, or no limit for memory"
    for probe in ("readinessProbe", "livenessProbe"):
        if probe not in container:
            yield f"has no {probe}"
    image = container["image"]
    if "@sha256:" not in image and (":" not in image.rsplit("/", 1)[-1] or image.endswith(":latest")):
        yield f"runs an image of no certain version: {image}"
    for variable in container.get("env", []):
        if "PASSWORD" in variable["name"] and "value" in variable:
            yield f"has a password in its manifest: {variable['name']}"


def is_gateway(resource: Resource) -> bool:
    component = resource["metadata"].get("labels", {}).get("app.kubernetes.io/component")
    return resource["kind"] == "Deployment" and component == "gateway"


def gateway_problems(resource: Resource) -> Iterator[str]:
    """What makes a roll lose no request."""
    if not is_gateway(resource):
        return
    spec = resource["spec"]
    if spec["strategy"]["rollingUpdate"]["maxUnavailable"] != 0:
        yield "takes a replica away before the next one is ready"
    (container,) = spec["template"]["spec"]["containers"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        if container.get(probe, {}).get("httpGet", {}).get("port") != "admin":
            yield f"has no {probe} on the admin port"
    if spec["template"]["spec"]["terminationGracePeriodSeconds"] <= 40:
        yield "is killed before its drain can end"


def selects(selector: Resource, pods: list[Resource]) -> bool:
    wanted = selector.get("matchLabels", selector)
    return any(wanted.items() <= pod["metadata"]["labels"].items() for pod in pods)


def reference_problems(resources: list[Resource]) -> Iterator[tuple[str, str]]:
    """Names that lead nowhere. Secrets are not ours to make."""
    names = {(r["kind"], r["metadata"]["name"]) for r in resources}
    pods = [pod for r in resources if (pod := pod_of(r))]
    for resource in resources:
        spec = resource.get("spec", {})
        if resource["kind"] == "Service" and not selects(spec["selector"], pods):
            yield label(resource), "selects no pod"
        if resource["kind"] == "PodDisruptionBudget" and not selects(spec["selector"], pods):
            yield label(resource), "selects no pod"
        if resource["kind"] == "HorizontalPodAutoscaler":
            target = spec["scaleTargetRef"]
            if (target["kind"], target["name"]) not in names:
                yield label(resource), f"scales {target['name']}, which does not exist"
        if pod := pod_of(resource):
            for kind, name in used_by(pod["spec"]):
                if (kind, name) not in names:
                    yield label(resource), f"uses {kind} {name}, which does not exist"


def used_by(spec: Resource) -> Iterator[tuple[str, str]]:
    yield "ServiceAccount", spec["serviceAccountName"]
    for volume in spec.get("volumes", []):
        # Authorities of others come in a ConfigMap of theirs.
        if "configMap" in volume and volume["name"] not in ("ca", "clients"):
            yield "ConfigMap", volume["configMap"]["name"]
    for container in spec["containers"]:
        for source in container.get("envFrom", []):
            if "configMapRef" in source:
                yield "ConfigMap", source["configMapRef"]["name"]


def policy_problems(resources: list[Resource]) -> Iterator[tuple[str, str]]:
    policies = [r for r in resources if r["kind"] == "NetworkPolicy"]
    for resource in resources:
        pod = pod_of(resource)
        covered = pod and any(selects(p["spec"]["podSelector"], [pod]) and p["spec"]["podSelector"] for p in policies)
        if pod and not covered:
            yield label(resource), "is named by no NetworkPolicy"


def completeness_problems(resources: list[Resource]) -> Iterator[tuple[str, str]]:
    """What production has, however it is rendered."""
    kinds = {r["kind"] for r in resources}
    for kind in ("PodDisruptionBudget", "NetworkPolicy", "ServiceMonitor", "PrometheusRule", "StatefulSet"):
        if kind not in kinds:
            yield kind, "is not there"
    for account in (r for r in resources if r["kind"] == "ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield label(account), "has a token"
    (scaler,) = (r for r in resources if r["kind"] == "HorizontalPodAutoscaler")
    spec = scaler["spec"]
    if (spec["minReplicas"], spec["maxReplicas"]) != (3, 10):
        yield label(scaler), f"scales {spec['minReplicas']} to {spec['maxReplicas']}, not 3 to 10"
    if "stabilizationWindowSeconds" not in spec["behavior"]["scaleDown"]:
        yield label(scaler), "scales down at once"


def problems(resources: list[Resource], versions: list[str]) -> Iterator[tuple[str, str]]:
    for resource in resources:
        for check in (lambda r: schema_problems(r, versions), confinement_problems, gateway_problems):
            yield from ((label(resource), problem) for problem in check(resource))
    yield from reference_problems(resources)
    yield from policy_problems(resources)


def gateway_container(resources: list[Resource]) -> Resource:
    (deployment,) = filter(is_gateway, resources)
    pod = deployment["spec"]["template"]["spec"]
    container = pod["containers"][0]
    same = ("ports", "startupProbe", "readinessProbe", "livenessProbe", "resources", "securityContext", "args")
    return {key: container[key] for key in same} | {
        "pod": pod["securityContext"],
        "strategy": deployment["spec"]["strategy"],
    }


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--oldest", required=True)
    arguments.add_argument("--newest", required=True)
    arguments.add_argument("--custom", type=Path)
    arguments.add_argument("--same", nargs=2, metavar="NAME", help="two renderings whose gateway must be the same")
    arguments.add_argument("renderings", nargs="+", metavar="NAME=FILE")
    given = arguments.parse_args()
    versions = sorted({given.oldest, given.newest})

    renderings = {}
    for rendering in given.renderings:
        name, _, path = rendering.partition("=")
        renderings[name] = [r for r in yaml.safe_load_all(Path(path).read_text()) if r]
        if not renderings[name]:
            print(f"{name}: renders to nothing")
            return 1

    wrong = 0
    given.same = given.same or []
    for name, resources in renderings.items():
        found = list(problems(resources, versions))
        if name in given.same:
            found += completeness_problems(resources)
        wrong += len(found)
        for what, problem in found:
            print(f"{name}: {what}: {problem}")
        custom = sum(is_custom(r) for r in resources)
        print(f"{name}: {len(resources)} resources, {custom} of them custom, {len(found)} problems")
    if given.same:
        one, other = (gateway_container(renderings[name]) for name in given.same)
        for key in one:
            if one[key] != other[key]:
                print(f"{' and '.join(given.same)} differ in the gateway's {key}: {one[key]} / {other[key]}")
                wrong += 1
    if given.custom:
        found = [r for resources in renderings.values() for r in resources if is_custom(r)]
        given.custom.write_text(json.dumps(found))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
