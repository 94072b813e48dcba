"""How people come in: the first admin, and the identity provider of the settings."""

import logging

from assistant.config import Settings
from assistant.services.database import Database
from assistant.services.people import links as account_links
from assistant.services.people import users
from assistant.services.people.accounts import LOCAL_EMAIL, Accounts, Principal
from assistant.services.people.oidc import Oidc, OidcOptions

logger = logging.getLogger(__name__)


async def first_admin(settings: Settings, accounts: Accounts, database: Database) -> Principal | None:
    """The local admin; with accounts, see to it that somebody can become admin, and None.

    That is the person of the environment, or whoever opens the link that is written to the log.
    """
    if settings.auth_mode == "local":
        return await accounts.ensure_admin(LOCAL_EMAIL, None, "You")
    if settings.admin_email and settings.admin_password:
        await accounts.ensure_admin(settings.admin_email, settings.admin_password.get_secret_value(), "Admin")
    elif not (settings.admin_email and settings.oidc_issuer):
        await _offer_set_up(settings, database)
    return None


async def _offer_set_up(settings: Settings, database: Database) -> None:
    async with database.session() as session:
        if await users.has_admin(session):
            return
        link = await account_links.create(session, None)
    base = (settings.public_url or f"http://{settings.host}:{settings.port}").rstrip("/")
    until = link.expires_at.isoformat(timespec="minutes")
    logger.warning("there is no admin yet; until %s the first one is made at %s%s", until, base, link.path)


def identity_provider(settings: Settings, database: Database) -> Oidc | None:
    """The one that is configured, if one is."""
    if not (settings.oidc_issuer and settings.oidc_client_id and settings.oidc_client_secret and settings.public_url):
        return None
    options = OidcOptions(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value(),
        redirect_uri=f"{settings.public_url.rstrip('/')}/api/auth/oidc/callback",
        name=settings.oidc_name,
        domains=tuple(domain.lower() for domain in settings.oidc_domains),
        admin_email=settings.admin_email,
    )
    return Oidc(options, database)
