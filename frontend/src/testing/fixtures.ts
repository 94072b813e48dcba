import type { Conversation, Me, Message } from '@/api/generated';

const AT = '2026-11-21T10:00:00Z';

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
    ...changes,
  };
}

export function makeConversation(changes: Partial<Conversation> = {}): Conversation {
  return { id: 'conversation-1', title: 'A question', created_at: AT, updated_at: AT, ...changes };
}

export function makeMe(changes: Partial<Me> = {}): Me {
  return {
    id: 'user-1',
    email: 'a@example.org',
    name: 'Ada',
    role: 'admin',
    auth_mode: 'local',
    model: { name: 'demo-model', version_id: null, demo: true },
    context_tokens: 2048,
    ...changes,
  };
}
