from mysingle.health import HealthRegistry, ServiceState
from mysingle.metrics import DURATION_BUCKETS, ServiceMetrics

KNOWN = (HealthRegistry, ServiceState, DURATION_BUCKETS, ServiceMetrics)
