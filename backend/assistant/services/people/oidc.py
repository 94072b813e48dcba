"""Sign-in at the organisation's identity provider: OpenID Connect, authorization code flow with PKCE.

Source: OpenID Connect Core 1.0, section 3.1. authlib does the protocol; here is who may come in, and as whom.
"""

import logging
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.starlette_client import OAuth
from joserfc.errors import JoseError
from sqlalchemy import delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from assistant.errors import AssistantError, ForbiddenError, UnauthenticatedError
from assistant.services.database import Database
from assistant.services.people.accounts import Principal, begin_session, digest, principal_of
from codellama_core.models import OidcAttempt, Role, User

logger = logging.getLogger(__name__)

LIFETIME: Final = timedelta(minutes=10)
TIMEOUT_S: Final = 10.0
SUBJECTS_LOCK: Final = 0x6F696463
"""Key of the advisory lock under which people are looked up and made: two tabs must not make one person twice."""


class ProviderError(AssistantError):
    """The identity provider cannot be reached, or does not answer as one."""

    status = 502
    code = "identity_provider_unavailable"


@dataclass(frozen=True, slots=True)
class OidcOptions:
    """``name`` is what the button says. Without ``domains`` every address that the provider vouches for may come in.

    ``admin_email`` becomes admin when that person first signs in.
    """

    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str
    name: str
    domains: tuple[str, ...] = ()
    admin_email: str | None = None


@dataclass(frozen=True, slots=True)
class Departure:
    """Where to send the browser, and the secret by which it is known again when it returns."""

    url: str
    secret: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who has signed in, the secret of their session, and the page they were on."""

    principal: Principal
    token: str
    page: str


class Oidc:
    """One identity provider. No transaction is open while it is asked: it may take its time."""

    def __init__(self, options: OidcOptions, database: Database) -> None:
        self._options = options
        self._database = database
        metadata = f"{options.issuer.rstrip('/')}/.well-known/openid-configuration"
        self._provider = OAuth().register(
            "provider", client_id=options.client_id, client_secret=options.client_secret, server_metadata_url=metadata,
            client_kwargs={"scope": "openid email profile", "code_challenge_method": "S256", "timeout": TIMEOUT_S},
        )  # fmt: skip

    @property
    def name(self) -> str:
        return self._options.name

    async def depart(self, page: str) -> Departure:
        """Begin a sign-in that comes back to ``page``. Raises ProviderError."""
        try:
            data = await self._provider.create_authorization_url(self._options.redirect_uri)
        except (httpx2.HTTPError, AuthlibBaseError, RuntimeError, ValueError, KeyError) as error:
            raise _unreachable(error) from error
        secret = secrets.token_urlsafe(32)
        kept = {name: data[name] for name in ("state", "nonce", "code_verifier")} | {"page": page}
        expires_at = datetime.now(UTC) + LIFETIME
        async with self._database.session() as session:
            session.add(OidcAttempt(token_hash=digest(secret), data=kept, expires_at=expires_at))
        return Departure(data["url"], secret)

    async def arrive(self, secret: str | None, state: str, code: str) -> Arrival:
        """End a sign-in, which can be tried once; the first time, the person's account is made.

        Raises UnauthenticatedError (not begun in this browser, or too long ago), ForbiddenError (may not come in),
        ProviderError.
        """
        async with self._database.session() as session:
            attempt = await _take_attempt(session, secret)
        if attempt is None or not secrets.compare_digest(attempt["state"], state):
            raise UnauthenticatedError("This sign-in was not begun in this browser, or too long ago; begin again.")
        claims = await self._claims(code, attempt)
        async with self._database.session() as session:
            user = await self._person(session, claims)
            return Arrival(principal_of(user), begin_session(session, user), attempt["page"])

    async def _claims(self, code: str, attempt: dict[str, str]) -> dict[str, Any]:
        """What the provider says of the person, its signature, issuer, audience and nonce checked."""
        try:
            token = await self._provider.fetch_access_token(
                redirect_uri=self._options.redirect_uri, code=code, code_verifier=attempt["code_verifier"]
            )
            claims: dict[str, Any] | None = await self._provider.parse_id_token(token, nonce=attempt["nonce"])
            if claims is not None and "email" not in claims:
                claims = {**await self._provider.userinfo(token=token), **claims}
        except (httpx2.HTTPError, AuthlibBaseError, JoseError, RuntimeError, ValueError, KeyError) as error:
            raise _unreachable(error) from error
        if claims is None:
            raise _unreachable("its answer has no id_token")
        return claims

    async def _person(self, session: AsyncSession, claims: dict[str, Any]) -> User:
        """By subject; a person who is here already, with a password, by address."""
        email = self._address(claims)
        subject = f"{claims['iss']} {claims['sub']}"
        await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": SUBJECTS_LOCK})
        user = await session.scalar(select(User).where(User.oidc_subject == subject))
        if user is None:
            user = await session.scalar(select(User).where(func.lower(User.email) == email.lower()))
            if user is not None and user.oidc_subject is not None:
                raise ForbiddenError(f"{email} belongs to somebody else here; ask an admin.")
        if user is None:
            user = User(email=email, name=str(claims.get("name") or email.partition("@")[0])[:200], active=True)
            user.role = Role.ADMIN if email.lower() == (self._options.admin_email or "").lower() else Role.MEMBER
            session.add(user)
            logger.info("an account has been made", extra={"role": str(user.role)})
        if not user.active:
            raise ForbiddenError("Your account has been deactivated; ask an admin.")
        user.oidc_subject = subject
        await session.flush()
        return user

    def _address(self, claims: dict[str, Any]) -> str:
        email = claims.get("email")
        if not isinstance(email, str) or "@" not in email or len(email) > 320:
            raise ForbiddenError("The identity provider gives no e-mail address for you.")
        if claims.get("email_verified") is False:
            raise ForbiddenError(f"The identity provider has not verified that {email} is yours.")
        domain = email.rpartition("@")[2].lower()
        if self._options.domains and domain not in self._options.domains:
            raise ForbiddenError(f"Addresses at {domain} may not sign in here.")
        return email


async def _take_attempt(session: AsyncSession, secret: str | None) -> dict[str, str] | None:
    """What was kept when the sign-in began; it can be used once."""
    if secret is None:
        return None
    mine = (OidcAttempt.token_hash == digest(secret)) & (OidcAttempt.expires_at > func.now())
    data: dict[str, str] | None = await session.scalar(delete(OidcAttempt).where(mine).returning(OidcAttempt.data))
    return data


def _unreachable(reason: Exception | str) -> ProviderError:
    logger.warning("the identity provider does not answer as it should: %r", reason)
    return ProviderError("The identity provider does not answer as it should; try again, or ask an admin.")
