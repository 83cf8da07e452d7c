# The engine of Rivulet. From the root of the repository: docker build --tag rivulet .
# docs/deploying.md says how to run the image. To pin the base: --build-arg NODE_IMAGE=node:24-bookworm-slim@sha256:DIGEST
ARG NODE_IMAGE=node:24-bookworm-slim

# The engine and the packages of this repository that it needs. Their manifests change seldom, so builders reuse what follows from them.
FROM ${NODE_IMAGE} AS manifests
WORKDIR /rivulet
COPY package.json package-lock.json .npmrc ./
COPY packages/protocol/package.json packages/protocol/
COPY packages/client/package.json packages/client/
COPY packages/sdk/package.json packages/sdk/
COPY packages/engine/package.json packages/engine/
COPY packages/inspector/package.json packages/inspector/

# Compiles and bundles the engine and the page of its admin listener. No script of a package runs.
FROM manifests AS build
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --include-workspace-root --workspace @rivulet/engine --workspace @rivulet/inspector
COPY . .
RUN node scripts/build.mjs packages/engine

# Installs the packages that the engine needs at run time.
FROM manifests AS packages
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --omit=dev --workspace @rivulet/engine

FROM ${NODE_IMAGE} AS engine
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Rivulet" \
  org.opencontainers.image.description="A realtime streams engine: durable, ordered, gapless, for everyone who watches." \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
# Temporary files are below /data too, because it is the only place with write access.
ENV NODE_ENV=production LISTEN=0.0.0.0 TMPDIR=/data
COPY LICENSE /rivulet/
COPY --from=packages /rivulet/node_modules /rivulet/node_modules
COPY --from=packages /rivulet/packages/protocol /rivulet/packages/protocol
COPY --from=packages /rivulet/packages/client /rivulet/packages/client
COPY --from=packages /rivulet/packages/sdk /rivulet/packages/sdk
COPY --from=packages /rivulet/packages/engine /rivulet/packages/engine
COPY --from=build /rivulet/packages/protocol/dist /rivulet/packages/protocol/dist
COPY --from=build /rivulet/packages/client/dist /rivulet/packages/client/dist
COPY --from=build /rivulet/packages/sdk/dist /rivulet/packages/sdk/dist
COPY --from=build /rivulet/packages/engine/dist /rivulet/packages/engine/dist
COPY --from=build /rivulet/packages/engine/inspector /rivulet/packages/engine/inspector
COPY packages/engine/bin /rivulet/packages/engine/bin
# The bundle reads the scripts for Redis at run time.
COPY packages/engine/src/store/redis/lua /rivulet/packages/engine/src/store/redis/lua
COPY ops/config /etc/rivulet
# The group root may write too, because some clusters start containers with any user id and that group.
RUN ln -s /rivulet/packages/engine/bin/rivulet.js /usr/local/bin/rivulet && mkdir -m 0770 /data && chown 10001:0 /data
# The engine writes nothing outside of this volume, so the root file system may be read-only. The paths of the configuration begin here.
VOLUME /data
WORKDIR /
# A number, so that Kubernetes can see that it is not root.
USER 10001:10001
EXPOSE 49134 3112 3111 3113
# Requests an ordered stop, which takes at most 28 s. The entrypoint becomes node by exec, so node is process 1 and gets the signal.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["node", "-e", "fetch('http://127.0.0.1:3113/health').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["rivulet"]
CMD ["start", "--config", "/etc/rivulet/rivulet.yaml"]
