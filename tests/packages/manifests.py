#!/usr/bin/env python3
"""Checks the Kubernetes manifests against the published schemas and against their promises: pods have probes, keep no
data, and have a disruption budget. Uses the package kubernetes-validate (tools/install kubernetes). Prints each fault;
exit status 0: none."""

import argparse
import sys
from pathlib import Path

MANIFESTS = Path(__file__).resolve().parents[2] / "packaging" / "kubernetes" / "intelligent-river.yaml"
PROBES = {"readinessProbe", "livenessProbe", "startupProbe"}


def schema_faults(resource):
    import kubernetes_validate  # --help works without it

    try:
        kubernetes_validate.validate(resource, kubernetes_validate.latest_version(), strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"{'.'.join(map(str, error.path))}: {error.message}"


def pod_faults(spec, budgets):
    labels, pod = spec["selector"]["matchLabels"], spec["template"]["spec"]
    if labels != spec["template"]["metadata"]["labels"]:
        yield "the selector is not the pods' labels"
    if labels not in budgets:
        yield "no disruption budget"
    if kinds := {key for volume in pod["volumes"] for key in volume} - {"name", "secret", "emptyDir"}:
        yield f"the pods keep data: {', '.join(sorted(kinds))}"
    for container in pod["containers"]:
        if lacking := PROBES - set(container):
            yield f"{container['name']}: {', '.join(sorted(lacking))} is missing"
        if not container["securityContext"].get("readOnlyRootFilesystem"):
            yield f"{container['name']}: its root can be written to"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    import kubernetes_validate
    import yaml

    resources = list(yaml.safe_load_all(MANIFESTS.read_text(encoding="utf-8")))
    budgets = [each["spec"]["selector"]["matchLabels"] for each in resources if each["kind"] == "PodDisruptionBudget"]
    faults = []
    for each in resources:
        found = [*schema_faults(each), *(pod_faults(each["spec"], budgets) if each["kind"] == "Deployment" else [])]
        faults += [f"{each['kind']} {each['metadata']['name']}: {fault}" for fault in found]
    print("\n".join(faults) or f"{len(resources)} resources as Kubernetes {kubernetes_validate.latest_version()} has them")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
