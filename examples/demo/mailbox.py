"""The mail server of the demo: takes every mail, and keeps it."""

import re
import time
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

_LINK = re.compile(r"https?://\S+[?&]token=([\w.~-]+)")


class Mailbox:
    """An SMTP server on the loopback. `with Mailbox(port):`."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._mails: list[tuple[str, Message]] = []
        self._controller = Controller(self, hostname="127.0.0.1", port=port)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # its name
        content = envelope.content if isinstance(envelope.content, bytes) else b""
        self._mails += [(to, message_from_bytes(content, policy=default)) for to in envelope.rcpt_tos]
        return "250 OK"

    def token_for(self, address: str, seconds: float = 10) -> str:
        """Wait for a mail to an address, and return the token of the link in it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for to, mail in list(self._mails):
                found = _LINK.search(_text(mail)) if to == address else None
                if found:
                    self._mails.remove((to, mail))
                    return found[1]
            time.sleep(0.02)
        raise RuntimeError(f"no mail with a link came for {address}")

    def __enter__(self) -> "Mailbox":
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()


def _text(mail: Message) -> str:
    assert isinstance(mail, EmailMessage)
    plain = mail.get_body(("plain",))
    return plain.get_content() if plain else ""
