"""What can go wrong, told in a sentence for people."""


class ClusterError(Exception):
    """Something a person has to put right; the message says what is wrong, where, and what to do."""


class PortTakenError(ClusterError):
    """A program could not listen because another process took its port in the meantime."""


class KubectlError(ClusterError):
    """kubectl ended with an error.

    Attributes: ``returncode``, and ``stdout`` and ``stderr`` as kubectl wrote them.
    """

    def __init__(self, arguments: tuple[str, ...], returncode: int, stdout: str, stderr: str) -> None:
        self.returncode = returncode
        self.stdout = stdout
        self.stderr = stderr
        super().__init__(f"kubectl {' '.join(arguments)} failed ({returncode}): {stderr.strip() or stdout.strip()}")
