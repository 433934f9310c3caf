from mysingle.audit import AuditLog, AuditRecord
from mysingle.email import Email

MAIL = Email(to="a@example.com", subject="Hello", text="Hello")
KNOWN = (AuditLog, AuditRecord)
