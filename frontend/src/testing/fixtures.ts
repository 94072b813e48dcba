import type {
  ApiKey,
  AuditEntry,
  ChatSettings,
  Comparison,
  Conversation,
  ConversationWithMessages,
  Estimate,
  Me,
  Message,
  ModelsPage,
  ModelVersion,
  SavedPrompt,
  TrainingRow,
  TrainingRun,
  User,
} from '@/api/generated';

const AT = '2026-11-21T10:00:00Z';

export function makeSettings(changes: Partial<ChatSettings> = {}): ChatSettings {
  return { system_prompt: null, temperature: null, top_p: null, max_tokens: null, model: null, ...changes };
}

export function makeMessage(changes: Partial<Message> = {}): Message {
  return {
    id: 'answer-1',
    conversation_id: 'conversation-1',
    parent_id: 'question-1',
    author: 'assistant',
    content: '',
    status: 'done',
    finish_reason: null,
    error: null,
    model: 'demo-model',
    model_version_id: null,
    prompt_tokens: null,
    cached_tokens: null,
    completion_tokens: null,
    time_to_first_token_s: null,
    tokens_per_second: null,
    duration_s: null,
    created_at: AT,
    finished_at: null,
    feedback: null,
    attachments: [],
    ...changes,
  };
}

export function makeEstimate(changes: Partial<Estimate> = {}): Estimate {
  return {
    prompt: { tokens: 2140, at_least: false },
    content: { tokens: 12, at_least: false },
    attachments: [],
    exact: true,
    limit_tokens: 8191,
    over_tokens: 0,
    cached_tokens: 2000,
    wait_s: 0,
    reading_s: 4,
    ...changes,
  };
}

export function makeConversation(changes: Partial<Conversation> = {}): Conversation {
  return {
    id: 'conversation-1',
    title: 'A question',
    folder: null,
    pinned: false,
    archived: false,
    created_at: AT,
    updated_at: AT,
    ...changes,
  };
}

/** A conversation that is loaded whole; all of its messages are on the branch. */
export function makeThread(
  messages: Message[],
  changes: Partial<ConversationWithMessages> = {},
): ConversationWithMessages {
  const branch = messages.map(({ id }) => id);
  return {
    ...makeConversation(),
    settings: makeSettings(),
    messages,
    branch,
    earlier: false,
    later: false,
    comparisons: [],
    ...changes,
  };
}

export function makeComparison(changes: Partial<Comparison> = {}): Comparison {
  return {
    id: 'comparison-1',
    question_id: 'q',
    left_id: 'left',
    right_id: 'right',
    left_model: null,
    right_model: null,
    vote: null,
    closed: false,
    created_at: AT,
    ...changes,
  };
}

export function makeMe(changes: Partial<Me> = {}): Me {
  return {
    id: 'user-1',
    email: 'a@example.org',
    name: 'Ada',
    role: 'admin',
    training_consent: true,
    has_password: false,
    auth_mode: 'local',
    model: { name: 'demo-model', version_id: null, demo: true },
    context_tokens: 2048,
    ...changes,
  };
}

export function makeUser(changes: Partial<User> = {}): User {
  return {
    id: 'user-2',
    email: 'b@example.org',
    name: 'Bob',
    role: 'member',
    active: true,
    training_consent: true,
    has_password: true,
    has_oidc: false,
    created_at: AT,
    last_sign_in_at: null,
    ...changes,
  };
}

export function makeApiKey(changes: Partial<ApiKey> = {}): ApiKey {
  return {
    id: 'key-1',
    name: 'Editor',
    prefix: 'cl-abcde',
    requests_per_minute: null,
    tokens_per_minute: null,
    created_at: AT,
    last_used_at: null,
    ...changes,
  };
}

export function makeAuditEntry(changes: Partial<AuditEntry> = {}): AuditEntry {
  return {
    id: 'entry-1',
    who: 'a@example.org',
    action: 'user.create',
    subject: 'b@example.org',
    details: {},
    created_at: AT,
    ...changes,
  };
}

export function makeVersion(changes: Partial<ModelVersion> = {}): ModelVersion {
  return {
    id: 'version-1',
    name: 'first',
    state: 'available',
    aliases: [],
    size_bytes: 7_400_000,
    metrics: {},
    parent_id: null,
    run_id: null,
    created_at: AT,
    ...changes,
  };
}

/** One server that serves its champion. */
export function makeModels(items: ModelVersion[], changes: Partial<ModelsPage> = {}): ModelsPage {
  const champion = items[0]?.id ?? null;
  return {
    champion,
    challenger: null,
    previous: null,
    serving: champion,
    problem: null,
    servers: 1,
    taken_over: 1,
    items,
    ...changes,
  };
}

export function makeRun(changes: Partial<TrainingRun> = {}): TrainingRun {
  return {
    id: 'run-1',
    state: 'published',
    stage: 'publish',
    base_model: 'demo',
    progress: {},
    stages: {},
    verdict: null,
    dataset_fingerprint: null,
    error: null,
    started_at: AT,
    heartbeat_at: AT,
    finished_at: '2026-11-21T10:12:00Z',
    version: null,
    ...changes,
  };
}

export function makeTrainingRow(changes: Partial<TrainingRow> = {}): TrainingRow {
  return {
    id: 'row-1',
    source_kind: 'rating',
    source_id: 'feedback-1',
    split: 'train',
    kept: true,
    reason: null,
    excluded: false,
    question: 'How do I sort?',
    answer: 'Use sorted.',
    who: 'a@example.org',
    at: AT,
    conversation_id: null,
    message_id: null,
    ...changes,
  };
}

export function makePrompt(changes: Partial<SavedPrompt> = {}): SavedPrompt {
  return {
    id: 'prompt-1',
    title: 'Review',
    content: 'Look for races in this code.',
    created_at: AT,
    updated_at: AT,
    ...changes,
  };
}
