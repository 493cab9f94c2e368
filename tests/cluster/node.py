"""A node: containerd, the kubelet and kube-proxy, on a machine."""

import json

from infra.tools import install
from tests.cluster.control_plane import ControlPlane
from tests.cluster.machine import NETWORK, Machine
from tests.cluster.registry import PAUSE, Registry
from tests.platform_driver import wait_until

PODS = "10.244"
"""The first 16 bits of the addresses of Pods; the third byte is the number of their machine."""
DNS = "10.96.0.10"
SOCKET = "/run/containerd/containerd.sock"

CONTAINERD = """
version = 2
[grpc]
  address = "%(socket)s"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "%(pause)s"
  restrict_oom_score_adj = true  # root here may not be allowed to protect processes from the kernel's memory killer
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/var/lib/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".registry.mirrors."%(registry)s"]
    endpoint = ["http://%(registry)s"]
"""


def start_node(machine: Machine, control_plane: ControlPlane, registry: Registry) -> None:
    """Start a node, and wait until it has registered itself."""
    _start_containerd(machine, registry)
    _start_kubelet(machine, control_plane)
    wait_until(lambda: control_plane.knows(machine))
    _start_proxy(machine, control_plane)


def connect(machines: list[Machine]) -> None:
    """Tell each machine where the Pods of the others are."""
    for machine in machines:
        for other in machines:
            if other is not machine:
                machine.run("ip", "route", "add", _subnet(other), "via", other.address)


def _subnet(machine: Machine) -> str:
    return f"{PODS}.{machine.number}.0/24"


def _start_containerd(machine: Machine, registry: Registry) -> None:
    network = {
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {
                "type": "bridge",
                "bridge": "cni0",
                "isGateway": True,
                "ipMasq": False,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": _subnet(machine)}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }
    machine.write("/var/lib/cni/net.d/10-pods.conflist", json.dumps(network))
    values = {"socket": SOCKET, "pause": registry.image(PAUSE), "registry": registry.name}
    settings = machine.write("/var/lib/containerd.toml", CONTAINERD % values)
    machine.start("containerd", "containerd", "--config", settings)
    wait_until((machine.folder / SOCKET.lstrip("/")).exists)


def _start_kubelet(machine: Machine, control_plane: ControlPlane) -> None:
    settings = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        # The API server shows the kubelet no certificate here, and only the machines reach it.
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": machine.cgroup,
        "clusterDNS": [DNS],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "failSwapOn": False,
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi"},
        "resolvConf": "/etc/resolv.conf",
    }
    path = machine.write("/var/lib/kubelet/config.json", json.dumps(settings))
    kubeconfig = control_plane.write_kubeconfig(machine, f"system:node:{machine.name}")
    machine.start(
        "kubelet",
        install("kubelet"),
        f"--config={path}",
        f"--kubeconfig={kubeconfig}",
        f"--node-ip={machine.address}",
        f"--hostname-override={machine.name}",
    )


def _start_proxy(machine: Machine, control_plane: ControlPlane) -> None:
    settings = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "clusterCIDR": f"{PODS}.0.0/16",
        "hostnameOverride": machine.name,
        "nodePortAddresses": [f"{NETWORK}.0/24"],
        "clientConnection": {"kubeconfig": control_plane.write_kubeconfig(machine, "system:kube-proxy")},
        # The limits of connections are the whole kernel's: left as they are.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }
    path = machine.write("/var/lib/kube-proxy/config.json", json.dumps(settings))
    machine.start("kube-proxy", install("kube-proxy"), f"--config={path}")
