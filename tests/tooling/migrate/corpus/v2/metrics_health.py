from mysingle.core.health import HealthRegistry, ServiceState
from mysingle.core.metrics import DURATION_BUCKETS, ServiceMetrics

KNOWN = (HealthRegistry, ServiceState, DURATION_BUCKETS, ServiceMetrics)
