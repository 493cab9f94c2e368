"""The platform on a cluster: manifests rendered from templates/kubernetes/ and stack.yml, and its secrets."""
