"""The manifest of a service as text, with comments: what `mysingle new` writes and `mysingle k8s render` prints."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mysingle._kernel.errors import InvalidArgumentError
from mysingle._kernel.settings import GrpcSettings
from mysingle.tooling.k8s.numbers import ClusterNumbers

__all__ = ["Workload", "render_manifest"]

# A label of RFC 1123, which is what names of Services must be, and room for "-grpc" behind it.
_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,55}[a-z0-9])?")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,511}")
_APP = re.compile(r"[A-Za-z_][\w.]{0,199}:[A-Za-z_]\w{0,99}")
_MAX_PORT = 65535
_USUAL_GRPC_PORT = GrpcSettings.model_fields["GRPC_SERVER_PORT"].default


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """
    What runs in the pods: a name, an image, the app, its ports, and whether it owns the users or sends tasks.

    Raises:
        InvalidArgumentError: something that Kubernetes would refuse.
    """

    name: str
    image: str
    app: str = "app.main:app"
    port: int = 8000
    grpc_port: int | None = None
    is_iam: bool = False
    has_tasks: bool = False

    def __post_init__(self) -> None:
        """Refuse what could not be deployed, or would be other YAML than text."""
        if not _NAME.fullmatch(self.name):
            raise InvalidArgumentError(
                f"{self.name!r} is no name for Kubernetes: lower-case letters, digits and hyphens between them, "
                "beginning with a letter, at most 57 characters; give another one with --name"
            )
        if not _IMAGE.fullmatch(self.image):
            raise InvalidArgumentError(f"{self.image!r} is no image, such as registry.example.com/{self.name}:1.0.0")
        if not _APP.fullmatch(self.app):
            raise InvalidArgumentError(f"{self.app!r} is no app, such as app.main:app")
        if not all(0 < port <= _MAX_PORT for port in (self.port, self.grpc_port or 1)) or self.port == self.grpc_port:
            raise InvalidArgumentError(f"{self.port} and {self.grpc_port} must be two ports, from 1 to {_MAX_PORT}")


def render_manifest(workload: Workload, numbers: ClusterNumbers) -> str:
    """Return the Deployment and the Services of a workload, as YAML."""
    parts = [_deployment(workload, numbers), _service(workload)]
    if workload.grpc_port is not None:
        parts.append(_grpc_service(workload, workload.grpc_port))
    return "---\n".join(parts)


def _deployment(workload: Workload, numbers: ClusterNumbers) -> str:
    name = workload.name
    return f"""\
# The numbers agree with the code: see `mysingle k8s render --check`. Change `image`, the addresses and the size.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels: &labels
    app.kubernetes.io/name: {name}
spec:
  replicas: 2
  selector:
    matchLabels: *labels
  strategy:
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
  template:
    metadata:
      labels: *labels
    spec:
      # {_sum(numbers)}
      terminationGracePeriodSeconds: {numbers.termination_grace_seconds}
      automountServiceAccountToken: false
      securityContext:
        runAsNonRoot: true
        runAsUser: 10001
        fsGroup: 10001
        seccompProfile:
          type: RuntimeDefault
      containers:
        - name: {name}
          image: {workload.image}
          args: ["mysingle", "run", "{workload.app}", "--host", "0.0.0.0", "--port", "{workload.port}"]
          ports:
{_lines(12, _ports(workload))}\
          env:
{_lines(12, _variables(workload, numbers))}\
          startupProbe:
            httpGet: {{path: /startup, port: http}}
            periodSeconds: {numbers.probe_period_seconds}
            failureThreshold: {numbers.startup_failures}
          livenessProbe:
            httpGet: {{path: /live, port: http}}
          readinessProbe:
            httpGet: {{path: /ready, port: http}}
            periodSeconds: {numbers.probe_period_seconds}
            failureThreshold: {numbers.readiness_failures}
{_lines(10, _pre_stop(numbers))}\
          resources:
            requests: {{cpu: 100m, memory: 192Mi}}
            limits: {{memory: 512Mi}}
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop: [ALL]
          volumeMounts:
            - name: secrets
              mountPath: /etc/secrets
              readOnly: true
            - name: tmp
              mountPath: /tmp
      volumes:
        - name: secrets
          secret:
            secretName: {name}
            defaultMode: 0440
        - name: tmp
          emptyDir: {{}}
"""


def _sum(numbers: ClusterNumbers) -> str:
    before = numbers.pre_stop_seconds + numbers.drain_delay_seconds + numbers.shutdown_grace_seconds
    pause = "pause before SIGTERM + " if numbers.pre_stop_seconds else ""
    rest = numbers.termination_grace_seconds - before
    return f"{pause}drain delay + grace of requests + {rest} s to close what is open"


def _ports(workload: Workload) -> Iterator[str]:
    yield from ("- name: http", f"  containerPort: {workload.port}")
    if workload.grpc_port is not None:
        yield from ("- name: grpc", f"  containerPort: {workload.grpc_port}")


def _variables(workload: Workload, numbers: ClusterNumbers) -> Iterator[str]:
    values = {
        "ENVIRONMENT": "production",
        "DRAIN_DELAY_SECONDS": f'"{numbers.drain_delay_seconds}"',
        "SHUTDOWN_GRACE_SECONDS": f'"{numbers.shutdown_grace_seconds}"',
        "REDIS_HOST": "redis",
        "MONGODB_URL_FILE": "/etc/secrets/mongodb_url",
    }
    if workload.is_iam:
        values |= {
            "AUTH_SECRET_KEY_FILE": "/etc/secrets/auth_secret_key",
            "PUBLIC_BASE_URL": "https://app.example.com",
            "IAM_ISSUER": "https://iam.example.com",
            "SMTP_HOST": "smtp.example.com",
        }
    else:
        values["GATEWAY_HMAC_KEYS_FILE"] = "/etc/secrets/gateway_hmac_keys"
    if workload.grpc_port is not None or workload.has_tasks:
        values["GRPC_SERVICE_KEYS_FILE"] = "/etc/secrets/grpc_service_keys"
    if workload.grpc_port not in (None, _USUAL_GRPC_PORT):
        values["GRPC_SERVER_PORT"] = f'"{workload.grpc_port}"'
    for name, value in values.items():
        yield from (f"- name: {name}", f"  value: {value}")


def _pre_stop(numbers: ClusterNumbers) -> Iterator[str]:
    if numbers.pre_stop_seconds:
        yield from ("lifecycle:", "  preStop:", f"    sleep: {{seconds: {numbers.pre_stop_seconds}}}")


def _service(workload: Workload) -> str:
    return f"""\
apiVersion: v1
kind: Service
metadata:
  name: {workload.name}
spec:
  selector:
    app.kubernetes.io/name: {workload.name}
  ports:
    - name: http
      port: {workload.port}
      targetPort: http
"""


def _grpc_service(workload: Workload, port: int) -> str:
    name = workload.name
    variable = f"{name.upper().replace('-', '_')}_GRPC_HOST"
    return f"""\
# One address for each pod, so that callers spread their calls: {variable}={name}-grpc
apiVersion: v1
kind: Service
metadata:
  name: {name}-grpc
spec:
  clusterIP: None
  selector:
    app.kubernetes.io/name: {name}
  ports:
    - name: grpc
      port: {port}
      targetPort: grpc
"""


def _lines(depth: int, lines: Iterator[str]) -> str:
    return "".join(f"{' ' * depth}{line}\n" for line in lines)
