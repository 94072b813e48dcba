#!/usr/bin/env bash
# Brings the images that `make images` has built to where a cluster finds them.
# Usage: kubernetes/images.sh push REGISTRY   into a registry, for example registry.example.com/team
#        kubernetes/images.sh load            into the containerd of this node (k3s, or ctr)
# CONTAINER_ENGINE is docker or podman, VERSION the tag.
set -euo pipefail
engine=${CONTAINER_ENGINE:-docker}
version=${VERSION:-0.1.0}
parts=(backend frontend fine-tuning)

usage() {
    echo "Usage: $0 push REGISTRY | load" >&2
    exit 64
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

require_images() {
    command -v "$engine" > /dev/null || { echo "$engine is not installed; CONTAINER_ENGINE names another." >&2; exit 69; }
    for part in "${parts[@]}"; do
        "$engine" image inspect "codellama-$part:$version" > /dev/null 2>&1 ||
            { echo "There is no image codellama-$part:$version; build it with: make images" >&2; exit 66; }
    done
}

push() {
    local registry=${1%/}
    case $registry in
        '' | *://* | *' '*) echo "REGISTRY is a name such as registry.example.com/team, without https://." >&2; exit 64 ;;
    esac
    require_images
    for part in "${parts[@]}"; do
        "$engine" tag "codellama-$part:$version" "$registry/codellama-$part:$version"
        "$engine" push "$registry/codellama-$part:$version"
    done
    echo "In your overlay:"
    echo "images:"
    for part in "${parts[@]}"; do
        echo "  - {name: codellama-$part, newName: $registry/codellama-$part, newTag: $version}"
    done
}

import() {
    if command -v k3s > /dev/null; then
        as_root k3s ctr images import -
    else
        as_root ctr --namespace k8s.io images import -
    fi
}

load() {
    command -v k3s > /dev/null || command -v ctr > /dev/null ||
        { echo "Neither k3s nor ctr is here: run this on the node, or use: make push REGISTRY=…" >&2; exit 69; }
    require_images
    for part in "${parts[@]}"; do
        # The full name: podman would call it localhost/…, and the kubelet looks for docker.io/library/….
        "$engine" tag "codellama-$part:$version" "docker.io/library/codellama-$part:$version"
        "$engine" save "docker.io/library/codellama-$part:$version" | import
    done
}

case ${1:-} in
    push) [ $# = 2 ] || usage; push "$2" ;;
    load) [ $# = 1 ] || usage; load ;;
    *) usage ;;
esac
