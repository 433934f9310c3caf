from mysingle.core.audit import AuditLog, AuditRecord
from mysingle.core.email import Email

MAIL = Email(to="a@example.com", subject="Hello", text="Hello")
KNOWN = (AuditLog, AuditRecord)
