#!/bin/sh
# Makes the Secret codellama-secrets with random passwords. Usage: ADMIN_EMAIL=you@example.com kubernetes/secrets.sh [--print]
# --print writes the object instead of sending it to the cluster. POSTGRES_PASSWORD, ADMIN_PASSWORD and HF_TOKEN in the
# environment are taken over. An existing Secret is left alone: the database keeps the password it was made with.
set -eu
umask 077
namespace=codellama
secret=codellama-secrets
here=$(dirname "$0")

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

if [ -z "${ADMIN_EMAIL:-}" ]; then
    echo "Set ADMIN_EMAIL: the address of the person who signs in first." >&2
    exit 64
fi
POSTGRES_PASSWORD=${POSTGRES_PASSWORD:-$(random)}
ADMIN_PASSWORD=${ADMIN_PASSWORD:-$(random)}
case $POSTGRES_PASSWORD in
    *[!A-Za-z0-9._~-]*)
        echo "POSTGRES_PASSWORD becomes part of an address: use letters, digits, '.', '_', '~' and '-' only." >&2
        exit 64 ;;
esac

file=$(mktemp)
trap 'rm -f "$file"' EXIT
{
    printf '%s\n' "POSTGRES_PASSWORD=$POSTGRES_PASSWORD"
    printf '%s\n' "DATABASE_URL=postgresql://codellama:$POSTGRES_PASSWORD@postgres-service:5432/codellama"
    printf '%s\n' "ADMIN_EMAIL=$ADMIN_EMAIL"
    printf '%s\n' "ADMIN_PASSWORD=$ADMIN_PASSWORD"
    if [ -n "${HF_TOKEN:-}" ]; then printf '%s\n' "HF_TOKEN=$HF_TOKEN"; fi
} > "$file"

render() {
    kubectl create secret generic "$secret" --namespace "$namespace" --from-env-file="$file" --dry-run=client -o yaml
}

if [ "${1:-}" = --print ]; then
    render
    exit 0
fi
kubectl apply -f "$here/base/namespace.yaml"
if kubectl get secret "$secret" --namespace "$namespace" > /dev/null 2>&1; then
    echo "$secret is there already and stays as it is." >&2
    exit 0
fi
render | kubectl create -f -
echo "Read the first administrator's password with:" >&2
echo "kubectl -n $namespace get secret $secret -o jsonpath='{.data.ADMIN_PASSWORD}' | base64 -d" >&2
