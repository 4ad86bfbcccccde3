"""What a rendered Deployment says about how its container is run."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml


class Recipe:
    """The gateway's container as the manifests of `path` describe it."""

    def __init__(self, path: Path):
        self.resources = [r for r in yaml.safe_load_all(path.read_text()) if r]
        deployment = self._find("Deployment", "gateway")
        self._pod = deployment["spec"]["template"]["spec"]
        (self._container,) = self._pod["containers"]
        self.arguments: list[str] = self._container["args"]
        self.user: int = self._pod["securityContext"]["runAsUser"]
        self.group: int = self._pod["securityContext"]["runAsGroup"]
        self.grace: int = self._pod["terminationGracePeriodSeconds"]
        # What the reader of the manifests puts in place of theirs.
        self.given: dict[str, str] = {}
        self.ports = {port["name"]: port["containerPort"] for port in self._container["ports"]}

    def _find(self, kind: str, name: str) -> dict[str, Any]:
        (found,) = (r for r in self.resources if r["kind"] == kind and r["metadata"]["name"] == name)
        return found

    @property
    def variables(self) -> dict[str, str]:
        """Of the ConfigMaps, then the container's own."""
        variables: dict[str, str] = {}
        for source in self._container.get("envFrom", []):
            variables |= self._find("ConfigMap", source["configMapRef"]["name"])["data"]
        return variables | {v["name"]: v["value"] for v in self._container.get("env", [])} | self.given

    def files(self, secrets: dict[str, dict[str, str]]) -> dict[str, str]:
        """Each mounted file with its content; a Secret's is not in the manifests and comes from `secrets`."""
        volumes = {volume["name"]: volume for volume in self._pod.get("volumes", [])}
        files = {}
        for mount in self._container.get("volumeMounts", []):
            volume = volumes[mount["name"]]
            if "secret" in volume:
                data, items = secrets[volume["secret"]["secretName"]], volume["secret"].get("items")
            else:
                data, items = self._find("ConfigMap", volume["configMap"]["name"])["data"], None
            for item in items or [{"key": key, "path": key} for key in data]:
                files[f"{mount['mountPath']}/{item['path']}"] = data[item["key"]]
        return files

    def probe(self, name: str) -> str:
        """The URL that the kubelet would ask."""
        get = self._container[name]["httpGet"]
        return f"http://127.0.0.1:{self.ports[get['port']]}{get['path']}"

    @property
    def upstream(self) -> tuple[str, int]:
        url = urlsplit(self.variables["UPSTREAM_URL"])
        return url.hostname, url.port or 80

    @property
    def redis_configuration(self) -> str:
        (found,) = (r for r in self.resources if r["kind"] == "ConfigMap" and "redis.conf" in r["data"])
        return found["data"]["redis.conf"]
