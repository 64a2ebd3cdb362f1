"""What the plugin reads in the cluster, and the connection that it reads and writes by."""
