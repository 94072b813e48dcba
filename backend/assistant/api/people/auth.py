"""Sign in, sign out, and the one-time links with which people choose a password."""

from typing import Annotated, Final
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from assistant.api.deps import ResourcesDep, SessionDep, require_same_origin
from assistant.api.people.me import me_of
from assistant.api.people.schemas import ChoosePassword, LinkCheck, LinkHolder, SetUp, SignIn, SignInMethods
from assistant.api.people.sessions import COOKIE, is_secure, replace_session
from assistant.api.schemas import Me
from assistant.errors import AssistantError, NotFoundError
from assistant.resources import Resources
from assistant.services.people import links as account_links
from assistant.services.people.oidc import LIFETIME as OIDC_LIFETIME
from assistant.services.people.oidc import Oidc

router = APIRouter(prefix="/api/auth", tags=["accounts"])


class CancelledError(AssistantError):
    """The person, or the identity provider, has thought better of it."""

    status = 400
    code = "cancelled"


OIDC_COOKIE: Final = "codellama_oidc"
OIDC_PATH: Final = "/api/auth/oidc"


async def require_accounts(request: Request, resources: ResourcesDep) -> None:
    """Signing in is for AUTH_MODE=accounts, and for this site's own pages."""
    if resources.local_admin is not None:
        raise NotFoundError("There is no sign-in with AUTH_MODE=local.")
    if request.method != "GET":
        require_same_origin(request)


AccountsOnly = Depends(require_accounts)


@router.get("/methods")
async def sign_in_methods(resources: ResourcesDep) -> SignInMethods:
    """How people sign in here; needs no sign-in."""
    return SignInMethods(
        auth_mode=resources.settings.auth_mode, oidc=resources.oidc.name if resources.oidc is not None else None
    )


@router.post("/login", dependencies=[AccountsOnly])
async def login(body: SignIn, request: Request, response: Response, resources: ResourcesDep) -> Me:
    """Start a browser session; the one there was ends."""
    principal, token = await resources.accounts.sign_in(body.email, body.password)
    await replace_session(request, response, resources, token)
    return me_of(principal, resources)


@router.post("/logout", status_code=204)
async def logout(request: Request, response: Response, resources: ResourcesDep) -> None:
    """End the browser session."""
    require_same_origin(request)
    if (token := request.cookies.get(COOKIE)) is not None:
        await resources.accounts.sign_out(token)
    response.delete_cookie(COOKIE)


@router.post("/link", dependencies=[AccountsOnly])
async def look_at_link(body: LinkCheck, session: SessionDep) -> LinkHolder:
    """Who a one-time link is for; it can still be used afterwards."""
    holder = await account_links.holder(session, body.token)
    user = holder.user
    return LinkHolder(
        email=user.email if user else None, name=user.name if user else None, expires_at=holder.expires_at
    )


@router.post("/link/password", dependencies=[AccountsOnly])
async def choose_password(body: ChoosePassword, request: Request, response: Response, resources: ResourcesDep) -> Me:
    """Choose a password with a one-time link, and start a browser session; all others of the person end."""
    async with resources.database.session() as session:
        who, token = await account_links.choose_password(session, resources.accounts, body.token, body.password)
    await replace_session(request, response, resources, token)
    return me_of(who, resources)


@router.post("/link/setup", dependencies=[AccountsOnly])
async def set_up(body: SetUp, request: Request, response: Response, resources: ResourcesDep) -> Me:
    """Make the first admin with the link that the server has printed at its first start."""
    async with resources.database.session() as session:
        who, token = await account_links.set_up(
            session, resources.accounts, body.token, body.email, body.name, body.password
        )
    await replace_session(request, response, resources, token)
    return me_of(who, resources)


@router.get("/oidc/login", dependencies=[AccountsOnly], status_code=303, response_class=RedirectResponse)
async def begin_oidc(
    resources: ResourcesDep, page: Annotated[str, Query(max_length=500, description="Where to return to")] = "/"
) -> RedirectResponse:
    """Go to the identity provider."""
    try:
        departure = await _oidc(resources).depart(_own_page(page))
    except AssistantError as error:
        return _failed(error)
    response = RedirectResponse(departure.url, status_code=303)
    response.set_cookie(
        OIDC_COOKIE, departure.secret, max_age=int(OIDC_LIFETIME.total_seconds()), path=OIDC_PATH, httponly=True,
        samesite="lax", secure=is_secure(resources),
    )  # fmt: skip
    return response


@router.get("/oidc/callback", dependencies=[AccountsOnly], status_code=303, response_class=RedirectResponse)
async def end_oidc(
    request: Request, resources: ResourcesDep, state: Annotated[str, Query(max_length=2000)] = "",
    code: Annotated[str, Query(max_length=4000)] = "", error: Annotated[str, Query(max_length=200)] = "",
) -> RedirectResponse:  # fmt: skip
    """Come back from the identity provider, to the page where the sign-in began."""
    oidc = _oidc(resources)
    if error or not code:
        return _failed(CancelledError("The sign-in was cancelled at the identity provider."))
    try:
        arrival = await oidc.arrive(request.cookies.get(OIDC_COOKIE), state, code)
    except AssistantError as failure:
        return _failed(failure)
    response = RedirectResponse(arrival.page, status_code=303)
    response.delete_cookie(OIDC_COOKIE, path=OIDC_PATH)
    await replace_session(request, response, resources, arrival.token)
    return response


def _oidc(resources: Resources) -> Oidc:
    if resources.oidc is None:
        raise NotFoundError("No identity provider is configured here.")
    return resources.oidc


def _own_page(page: str) -> str:
    """Only a path on this site: anything else would let a link send people elsewhere after they have signed in."""
    parts = urlsplit(page)
    is_path = page.startswith("/") and not page.startswith("//") and not parts.scheme and not parts.netloc
    return page if is_path and "\\" not in page else "/"


def _failed(error: AssistantError) -> RedirectResponse:
    """A browser is on its way: it gets the sign-in page, which says what went wrong.

    It is told the code, not the text: nobody shall be able to make a link with words of their own on our page.
    """
    response = RedirectResponse(f"/login?{urlencode({'problem': error.code})}", status_code=303)
    response.delete_cookie(OIDC_COOKIE, path=OIDC_PATH)
    return response
