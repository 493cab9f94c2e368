"""The container images: of each function, of the connector, the gateway and MinIO.

python -m infra.images contexts     lay out what each is built from, in build/
python -m infra.images build        build them with docker, podman or buildah; --push sends them to the registry
"""
