# syntax=docker/dockerfile:1
# One self-contained binary in a small image. See docs/DEPLOY.md. `cargo xtask container` runs these steps without Docker.

FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends libssl-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /flowdeck
COPY rust-toolchain.toml ./
RUN rustup toolchain install --no-self-update
COPY . .
# The caches keep what dependencies were built into, so that a change of our code builds our code only.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/flowdeck/target \
    cargo run --locked --quiet --package xtask -- build --release \
    && cp target/release/flowdeck /usr/local/bin/flowdeck

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libssl3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin flowdeck
COPY --from=build /usr/local/bin/flowdeck /usr/local/bin/flowdeck
USER 10001
# Where a flowdeck.toml is found that is mounted here.
WORKDIR /etc/flowdeck
# Beyond loopback the server starts only with sign-in, or where the configuration says otherwise in so many words.
ENV FLOWDECK_LISTEN=0.0.0.0:8077
EXPOSE 8077
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["flowdeck", "health"]
ENTRYPOINT ["flowdeck"]
CMD ["serve"]
