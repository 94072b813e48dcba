#!/bin/sh
# The part of the official image's entrypoint that ours uses: the name server of /etc/resolv.conf, then envsubst of templates.
set -eu
if [ -n "${NGINX_ENTRYPOINT_LOCAL_RESOLVERS:-}" ]; then
    # The first alone, as programs ask it: podman 4.3 adds the machine's own, which do not know the other containers.
    NGINX_LOCAL_RESOLVERS=$(awk '$1 == "nameserver" {print $2 ~ ":" ? "[" $2 "]" : $2; exit}' /etc/resolv.conf)
    export NGINX_LOCAL_RESOLVERS
fi
variables=$(env | cut -d= -f1 | grep -E "${NGINX_ENVSUBST_FILTER:-}" | sed 's/.*/${&}/' | paste -sd ' ')
for template in /etc/nginx/templates/*.template; do
    envsubst "$variables" < "$template" > "$NGINX_ENVSUBST_OUTPUT_DIR/$(basename "$template" .template)"
done
exec "$@"
