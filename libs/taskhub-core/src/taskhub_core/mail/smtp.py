"""Sends a mail by SMTP and sorts what can go wrong into "later" and "never"."""

import smtplib
import ssl
from email.message import EmailMessage

import structlog

from taskhub_core.jobs.errors import PermanentError, RetryLater
from taskhub_core.settings import MailSettings

_LOG = structlog.get_logger(__name__)


def send(message: EmailMessage, settings: MailSettings) -> None:
    """Hands the mail to the SMTP server.

    Raises PermanentError when the server refuses the receiver or the mail for good (5xx), and RetryLater for all else:
    a temporary refusal (4xx), a server that is away, slow or restarting, and a refusal of TaskHub itself (TLS, AUTH,
    sender), which an operator can mend while the mail waits.
    """
    client = _connected(settings)
    try:
        client.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        raise _refused("the receiver", max(code for code, _ in error.recipients.values())) from error
    except smtplib.SMTPDataError as error:
        raise _refused("the mail", error.smtp_code) from error
    except smtplib.SMTPNotSupportedError as error:
        raise PermanentError(f"The SMTP server cannot carry this mail: {error}") from error
    except (smtplib.SMTPException, OSError) as error:
        raise _later(error, settings) from error
    else:
        _quit(client)
    finally:
        client.close()


def _connected(settings: MailSettings) -> smtplib.SMTP:
    try:
        client = smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=settings.smtp_timeout_seconds)
    except (smtplib.SMTPException, OSError) as error:
        raise _later(error, settings) from error
    try:
        if settings.smtp_starttls:
            client.starttls(context=ssl.create_default_context())
        if settings.smtp_username is not None:
            password = settings.smtp_password.get_secret_value() if settings.smtp_password else ""
            client.login(settings.smtp_username, password)
    except (smtplib.SMTPException, OSError) as error:
        client.close()
        raise _later(error, settings) from error
    return client


def _quit(client: smtplib.SMTP) -> None:
    try:
        client.quit()
    except (smtplib.SMTPException, OSError) as error:
        # The server has taken the mail: failing the job now would send it twice.
        _LOG.info("smtp_quit_failed", error=type(error).__name__)


def _refused(what: str, code: int) -> PermanentError | RetryLater:
    if code >= 500:
        return PermanentError(f"The SMTP server refused {what} for good ({code}).")
    return RetryLater(f"The SMTP server refused {what} for now ({code}).")


def _later(error: Exception, settings: MailSettings) -> RetryLater:
    code = f" ({error.smtp_code})" if isinstance(error, smtplib.SMTPResponseException) else ""
    server = f"{settings.smtp_host}:{settings.smtp_port}"
    return RetryLater(f"The SMTP server {server} did not take the mail: {type(error).__name__}{code}.")
