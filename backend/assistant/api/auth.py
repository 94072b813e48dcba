"""Who am I, sign in, sign out."""

from fastapi import APIRouter, Request, Response

from assistant.api.deps import COOKIE, PrincipalDep, ResourcesDep, require_same_origin
from assistant.api.schemas import Me, ModelInfo, SignIn
from assistant.errors import NotFoundError
from assistant.resources import Resources
from assistant.services.accounts import SESSION_LIFETIME, Principal

router = APIRouter(prefix="/api", tags=["accounts"])


@router.get("/me")
async def me(principal: PrincipalDep, resources: ResourcesDep) -> Me:
    """The person signed in, and the model that answers now."""
    return _me(principal, resources)


@router.post("/auth/login")
async def login(body: SignIn, request: Request, response: Response, resources: ResourcesDep) -> Me:
    """Start a browser session."""
    if resources.local_admin is not None:
        raise NotFoundError("There is no sign-in with AUTH_MODE=local.")
    require_same_origin(request)
    principal, token = await resources.accounts.sign_in(body.email, body.password)
    public = resources.settings.public_url or str(request.base_url)
    response.set_cookie(
        COOKIE, token, max_age=int(SESSION_LIFETIME.total_seconds()), httponly=True, samesite="lax",
        secure=public.startswith("https://"),
    )  # fmt: skip
    return _me(principal, resources)


@router.post("/auth/logout", status_code=204)
async def logout(request: Request, response: Response, resources: ResourcesDep) -> None:
    """End the browser session."""
    require_same_origin(request)
    if (token := request.cookies.get(COOKIE)) is not None:
        await resources.accounts.sign_out(token)
    response.delete_cookie(COOKIE)


def _me(principal: Principal, resources: Resources) -> Me:
    identity = resources.generator.model
    model = identity and ModelInfo(
        name=identity.name, version_id=identity.version_id, demo=resources.models is not None and resources.models.demo
    )
    return Me(
        id=principal.id, email=principal.email, name=principal.name, role=principal.role,
        auth_mode=resources.settings.auth_mode, model=model, context_tokens=resources.generator.context_tokens,
    )  # fmt: skip
