"""What one process holds: built in the lifespan, reached through ``app.state.resources``."""

import time
import uuid
from dataclasses import dataclass

from assistant.config import Settings
from assistant.engine.engine import Engine
from assistant.services.calls.autocomplete import AutocompleteService
from assistant.services.calls.interactions import InteractionService
from assistant.services.chat.comparisons import ComparisonService
from assistant.services.chat.generations import Generations
from assistant.services.chat.messages import ChatService
from assistant.services.database import Database
from assistant.services.generators.types import Generator
from assistant.services.notices import Notices
from assistant.services.people.accounts import Accounts, Principal
from assistant.services.people.limits import RateLimits
from assistant.services.people.oidc import Oidc
from assistant.services.serving.models import ModelService
from assistant.services.spool import Spool
from assistant.telemetry import Metrics


@dataclass(slots=True)
class Resources:
    """``engine`` and ``models`` are None with the mock; ``local_admin`` is set in local mode only, ``oidc`` where an
    identity provider is configured.

    ``started_at`` is in Unix seconds.
    """

    settings: Settings
    instance_id: uuid.UUID
    metrics: Metrics
    database: Database
    notices: Notices
    spool: Spool
    accounts: Accounts
    generator: Generator
    generations: Generations
    chat: ChatService
    comparisons: ComparisonService
    limits: RateLimits
    interactions: InteractionService
    autocompletes: AutocompleteService
    engine: Engine | None
    models: ModelService | None
    local_admin: Principal | None
    oidc: Oidc | None
    started_at: int
    drained_by: float | None = None

    @property
    def draining(self) -> bool:
        """Whether the process has been asked to stop: it finishes what it has and takes nothing new."""
        return self.drained_by is not None

    def begin_draining(self) -> float:
        """Start to drain, if that has not begun; returns when it has to be over (monotonic seconds)."""
        if self.drained_by is None:
            self.drained_by = time.monotonic() + self.settings.drain_seconds
        return self.drained_by
