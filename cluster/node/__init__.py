"""A node for the local cluster: kubelet, containerd and all that real pods need, in namespaces of their own."""
