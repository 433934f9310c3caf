import mysingle.base.enums as enums

STATUS = enums.TaskStatus.RUNNING
OTHER = enums.TaskStatus.DONE
