"""Shapes of what is said about people: signing in, accounts, API keys, the audit log."""

import uuid
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field

from assistant.api.schemas import Out, PlainText, Strict
from assistant.services.people.audit import Entry
from codellama_core.models import ApiKey, Role, User

MIN_PASSWORD = 12

Email = Annotated[PlainText, Field(min_length=3, max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")]
Name = Annotated[PlainText, Field(min_length=1, max_length=200, pattern=r"\S")]
NewPassword = Annotated[PlainText, Field(min_length=MIN_PASSWORD, max_length=1024)]
Password = Annotated[PlainText, Field(min_length=1, max_length=1024)]
LinkToken = Annotated[PlainText, Field(min_length=1, max_length=200)]
ParsedRole = Annotated[Role, Field(strict=False)]


class SignInMethods(Out):
    """How people sign in here. ``oidc`` is the name of the identity provider, or None where there is none."""

    auth_mode: Literal["local", "accounts"]
    oidc: str | None


class SignIn(Strict):
    email: PlainText = Field(min_length=3, max_length=320)
    password: Password


class LinkCheck(Strict):
    token: LinkToken


class LinkHolder(Out):
    """Who a one-time link is for; without an address it makes the first admin."""

    email: str | None
    name: str | None
    expires_at: datetime


class ChoosePassword(Strict):
    token: LinkToken
    password: NewPassword


class SetUp(ChoosePassword):
    email: Email
    name: Name


class ChangePassword(Strict):
    current: Password
    new: NewPassword


class UpdateMe(Strict):
    """A field left out stays as it is."""

    name: Name | None = None
    training_consent: bool | None = None


class DeleteMe(Strict):
    """Your own address, typed, and your password if you have one."""

    email: PlainText = Field(max_length=320)
    password: Password | None = None


class ApiKeyOut(Out):
    model_config = ConfigDict(from_attributes=True, title="ApiKey")

    id: uuid.UUID
    name: str
    prefix: str = Field(description="How the key begins")
    requests_per_minute: int | None
    tokens_per_minute: int | None
    created_at: datetime
    last_used_at: datetime | None = Field(description="Known to the minute")


class NewApiKey(ApiKeyOut):
    model_config = ConfigDict(from_attributes=True, title="NewApiKey")

    key: str = Field(description="The key itself; it cannot be read again")

    @classmethod
    def of(cls, row: ApiKey, secret: str) -> Self:
        return cls.model_validate({**ApiKeyOut.model_validate(row).model_dump(), "key": secret})


class ApiKeys(Out):
    items: list[ApiKeyOut]


Limit = Annotated[int, Field(ge=1, lt=2**31)]


class CreateApiKey(Strict):
    """A limit left out is none."""

    name: Name
    requests_per_minute: Limit | None = None
    tokens_per_minute: Limit | None = None


class UserOut(Out):
    model_config = ConfigDict(from_attributes=True, title="User")

    id: uuid.UUID
    email: str
    name: str
    role: Role
    active: bool
    training_consent: bool
    has_password: bool
    has_oidc: bool
    created_at: datetime
    last_sign_in_at: datetime | None

    @classmethod
    def of(cls, user: User) -> Self:
        known = {name: getattr(user, name) for name in cls.model_fields if not name.startswith("has_")}
        has = {"has_password": user.password_hash is not None, "has_oidc": user.oidc_subject is not None}
        return cls.model_validate({**known, **has})


class UserPage(Out):
    """``next_after`` is None on the last page."""

    items: list[UserOut]
    next_after: str | None


class CreateUser(Strict):
    email: Email
    name: Name
    role: ParsedRole = Role.MEMBER


class UpdateUser(Strict):
    """A field left out stays as it is. Who is deactivated is signed out, and their API keys open nothing."""

    name: Name | None = None
    role: ParsedRole | None = None
    active: bool | None = None


class LinkOut(Out):
    """A one-time link to send to a person; it is shown this once."""

    model_config = ConfigDict(from_attributes=True, title="Link")

    url: str
    expires_at: datetime


class NewUser(Out):
    """The person, and the link with which they choose a password."""

    user: UserOut
    link: LinkOut


class AuditEntry(Out):
    """``who`` is None when that account has been deleted since."""

    id: uuid.UUID
    who: str | None
    action: str
    subject: str
    details: dict[str, Any]
    created_at: datetime

    @classmethod
    def of(cls, entry: Entry) -> Self:
        log = {name: getattr(entry.log, name) for name in cls.model_fields if name != "who"}
        return cls.model_validate({**log, "who": entry.who})


class AuditPage(Out):
    """``next_before`` is None on the last page."""

    items: list[AuditEntry]
    next_before: uuid.UUID | None
