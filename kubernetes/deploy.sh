#!/usr/bin/env bash
# Installs or updates the product, waits until it runs, and says where it is and how to sign in.
# Usage: ADMIN_EMAIL=you@example.com kubernetes/deploy.sh OVERLAY
# OVERLAY is a folder below kubernetes/overlays, or any folder with a kustomization. ADMIN_EMAIL is needed the first time.
set -euo pipefail
here=$(dirname "$0")
namespace=codellama

fail() {
    echo "$2" >&2
    exit "$1"
}

ours() { kubectl --namespace "$namespace" "$@"; }

# Exit code 1 of grep and the like would end the script without a word: each question has an answer for "not there".
ask() { ours get "$1" "$2" --ignore-not-found -o "jsonpath=$3"; }

folder_of() {
    for folder in "$here/overlays/$1" "$1"; do
        if [ -n "$1" ] && [ -f "$folder/kustomization.yaml" ]; then
            echo "$folder"
            return
        fi
    done
    known=$(cd "$here/overlays" && ls -d -- */ | tr -d '/' | paste -sd ' ' -)
    fail 64 "OVERLAY names none: say one of $known, or a folder with a kustomization.yaml."
}

make_secrets() {
    if ! ours get secret codellama-secrets > /dev/null 2>&1; then
        "$here/secrets.sh"
    fi
}

wait_for() {
    if ! ours rollout status "deployment/$1" --timeout="$2"; then
        ours get pods >&2 || true
        fail 1 "$1 does not become ready. Look at: kubectl -n $namespace describe pods; INSTALL.md, When something is wrong."
    fi
}

address() {
    local host type port target
    host=$(ask ingress codellama-ingress '{.spec.rules[0].host}' 2> /dev/null) || host=
    if [ -n "$host" ]; then
        echo "https://$host"
        return
    fi
    type=$(ask service codellama-frontend-service '{.spec.type}')
    if [ "$type" = LoadBalancer ]; then
        target=$(ask service codellama-frontend-service '{.status.loadBalancer.ingress[0].ip}{.status.loadBalancer.ingress[0].hostname}')
        [ -z "$target" ] || { echo "http://$target"; return; }
    elif [ "$type" = NodePort ]; then
        port=$(ask service codellama-frontend-service '{.spec.ports[0].nodePort}')
        target=$(kubectl get nodes -o 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}')
        echo "http://$target:$port"
        return
    fi
    echo "http://localhost:8080 while this runs: kubectl -n $namespace port-forward service/codellama-frontend-service 8080:80"
}

folder=$(folder_of "${1:-}")
command -v kubectl > /dev/null || fail 69 "kubectl is not installed."
kubectl get --raw /readyz > /dev/null || fail 69 "No cluster answers: is it running, and does KUBECONFIG name it?"
make_secrets
kubectl apply -k "$folder"
wait_for postgres-deployment 10m
# As long as progressDeadlineSeconds: the weights are read from a disk that may be slow.
wait_for codellama-deployment 40m
wait_for codellama-frontend-deployment 5m

cat << END

Open     $(address)
Sign in  $(ask secret codellama-secrets '{.data.ADMIN_EMAIL}' | base64 -d), with the password that this prints:
         kubectl -n $namespace get secret codellama-secrets -o jsonpath='{.data.ADMIN_PASSWORD}' | base64 -d
API key  kubectl -n $namespace exec deployment/codellama-deployment -c backend -- python -m assistant keys create --name "my laptop"
END
