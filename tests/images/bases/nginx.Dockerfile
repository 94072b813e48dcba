# Stands in for nginx:1.30: Debian's nginx of the same version, with the official image's entrypoint as far as ours uses it.
FROM localhost/debian:forky
RUN apt-get update \
 && apt-get install -y --no-install-recommends curl gettext-base nginx-light \
 && rm -rf /var/lib/apt/lists/* /etc/nginx/nginx.conf
COPY --chmod=755 nginx-entrypoint.sh /docker-entrypoint.sh
ENTRYPOINT ["/docker-entrypoint.sh"]
CMD ["nginx", "-g", "daemon off;"]
