# Casky's image. Stage one compiles; stage two is Node, the compiled files, the packages they need and redis-cli.
#
#   docker build -t casky .
#   docker run -d --name casky -p 127.0.0.1:6379:6379 -v casky-data:/data casky
#
# It runs under any user (--user 12345; a new volume is writable for all, the files in it only for whoever made them) and with a
# read-only root (--read-only): only /data is written to. Started as root it makes the volume the user casky's and then gives root
# up (docker/entrypoint.sh).

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json tsconfig.json ./
COPY src src
RUN npm ci --ignore-scripts && npm run build

FROM node:24-bookworm-slim
# redis-cli is what people and their health checks expect in here. setpriv and flock are part of Debian's base system.
RUN apt-get update \
  && apt-get install -y --no-install-recommends redis-tools \
  && rm -rf /var/lib/apt/lists/* \
  && groupadd --system --gid 999 casky \
  && useradd --system --uid 999 --gid casky --home-dir /data --no-create-home --shell /usr/sbin/nologin casky \
  && mkdir /data \
  && chown casky:casky /data \
  && chmod 1777 /data
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts && npm cache clean --force
COPY --from=build /app/dist dist
COPY LICENSE casky.conf.example ./
COPY docker/entrypoint.sh docker/healthcheck.mjs docker/
RUN chmod 755 dist/main.js docker/entrypoint.sh && ln -s /app/dist/main.js /usr/local/bin/casky

# Threads for files: two for the write and the sync, the others read. It has to be set before Node starts.
ENV UV_THREADPOOL_SIZE=8 GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=1048576
WORKDIR /data
VOLUME /data
EXPOSE 6379
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["node", "/app/docker/healthcheck.mjs"]
ENTRYPOINT ["/app/docker/entrypoint.sh"]
CMD ["casky"]
