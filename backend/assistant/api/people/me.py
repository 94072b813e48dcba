"""One's own account: name, consent, password, API keys, and the way out."""

import uuid

from fastapi import APIRouter, Request, Response

from assistant.api.deps import PrincipalDep, ResourcesDep, SessionDep
from assistant.api.people.schemas import (
    ApiKeyOut,
    ApiKeys,
    ChangePassword,
    CreateApiKey,
    DeleteMe,
    NewApiKey,
    UpdateMe,
)
from assistant.api.people.sessions import COOKIE, replace_session
from assistant.api.schemas import Me, ModelInfo
from assistant.errors import ConflictError, InvalidRequestError
from assistant.resources import Resources
from assistant.services.people import keys, users
from assistant.services.people.accounts import Principal, principal_of

router = APIRouter(prefix="/api/me", tags=["accounts"])


@router.get("")
async def me(principal: PrincipalDep, resources: ResourcesDep) -> Me:
    """The person signed in, and the model that answers now."""
    return me_of(principal, resources)


@router.patch("")
async def update_me(body: UpdateMe, principal: PrincipalDep, session: SessionDep, resources: ResourcesDep) -> Me:
    """Change your name, or whether what you write may be trained on."""
    user = await users.get(session, principal.id)
    if body.name is not None:
        user.name = body.name.strip()
    if body.training_consent is not None:
        user.training_consent = body.training_consent
    return me_of(principal_of(user), resources)


@router.post("/password")
async def change_password(
    body: ChangePassword, request: Request, response: Response, principal: PrincipalDep, resources: ResourcesDep
) -> Me:
    """Choose another password. Every session of yours ends but this one, which gets a new cookie."""
    token = await resources.accounts.change_password(principal.id, body.current, body.new)
    await replace_session(request, response, resources, token)
    return me_of(principal, resources)


@router.delete("", status_code=204)
async def delete_me(body: DeleteMe, response: Response, principal: PrincipalDep, resources: ResourcesDep) -> None:
    """Delete your account with all that is yours: conversations, ratings, corrections, API calls and keys.

    From the next training run on nothing of it is used.
    """
    if resources.local_admin is not None:
        raise ConflictError("With AUTH_MODE=local there is one account, and it is the server's own.")
    if body.email.strip().lower() != principal.email.lower():
        raise InvalidRequestError("Type the address of your account.", param="email")
    await resources.accounts.check_password(principal.id, body.password)
    async with resources.database.session() as session:
        await users.remove(session, principal.id)
    response.delete_cookie(COOKIE)


@router.get("/keys")
async def list_api_keys(principal: PrincipalDep, session: SessionDep) -> ApiKeys:
    """Your API keys, newest first."""
    return ApiKeys(items=[ApiKeyOut.model_validate(key) for key in await keys.list_of(session, principal.id)])


@router.post("/keys", status_code=201)
async def create_api_key(body: CreateApiKey, principal: PrincipalDep, session: SessionDep) -> NewApiKey:
    """A new API key for scripts and editors; the answer is the only place where it can be read."""
    limits = {"requests_per_minute": body.requests_per_minute, "tokens_per_minute": body.tokens_per_minute}
    return NewApiKey.of(*await keys.create(session, principal.id, body.name.strip(), **limits))


@router.delete("/keys/{key_id}", status_code=204)
async def revoke_api_key(key_id: uuid.UUID, principal: PrincipalDep, session: SessionDep) -> None:
    """From now on the key opens nothing."""
    await keys.revoke(session, principal.id, key_id)


def me_of(principal: Principal, resources: Resources) -> Me:
    """Who is signed in, and what answers them."""
    identity = resources.generator.model
    model = identity and ModelInfo(
        name=identity.name, version_id=identity.version_id, demo=resources.models is not None and resources.models.demo
    )
    return Me(
        id=principal.id, email=principal.email, name=principal.name, role=principal.role,
        training_consent=principal.training_consent, has_password=principal.has_password,
        auth_mode=resources.settings.auth_mode, model=model, context_tokens=resources.generator.context_tokens,
    )  # fmt: skip
