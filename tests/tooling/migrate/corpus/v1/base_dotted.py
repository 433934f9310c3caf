import mysingle.base
import mysingle.logging, mysingle.health as health

LOG = mysingle.logging.get_logger(__name__)


class Item(mysingle.base.BaseDocument):
    name: str


STATES = health.ServiceState
