import mysingle.core.base
import mysingle.core.logging, mysingle.core.health as health

LOG = mysingle.core.logging.get_logger(__name__)


class Item(mysingle.core.base.BaseDocument):
    name: str


STATES = health.ServiceState
