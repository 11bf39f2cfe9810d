"""A mail server's mailbox that a test can put out of temper: what stands in the file `answer`
beside its folder is its answer to each mail. Every mail that is handed to it adds a line to
`asked`."""

import os

from aiosmtpd.handlers import Mailbox


class Moody(Mailbox):
    async def handle_DATA(self, server, session, envelope):
        place = os.path.dirname(self.mail_dir)
        with open(os.path.join(place, "asked"), "a") as asked:
            asked.write(envelope.rcpt_tos[0] + "\n")
        try:
            with open(os.path.join(place, "answer")) as answer:
                return answer.read()
        except FileNotFoundError:
            return await super().handle_DATA(server, session, envelope)
