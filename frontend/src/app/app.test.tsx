import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { HttpResponse, http } from 'msw';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeEventSource } from '@/testing/fake-event-source';
import { makeConversation, makeMe, makeMessage, makeSettings, makeThread } from '@/testing/fixtures';
import { renderApp } from '@/testing/render';
import { server } from '@/testing/server';

const QUESTION = makeMessage({ id: 'question-1', parent_id: null, author: 'user', content: 'How?' });
const ANSWER = makeMessage({ status: 'queued' });

interface SendBody {
  content: string;
  idempotency_key: string;
}

/** A server with no conversations; `answers` are given to sends in turn, the last one for ever. */
function serve(...answers: (() => Response)[]): SendBody[] {
  const sent: SendBody[] = [];
  const conversation = makeConversation({ title: 'How?' });
  server.use(
    http.get('*/api/me', () => HttpResponse.json(makeMe())),
    http.get('*/api/conversations', () => HttpResponse.json({ pinned: [], items: [], next_before: null })),
    http.post('*/api/conversations', () =>
      HttpResponse.json({ ...conversation, settings: makeSettings(), title: '' }, { status: 201 }),
    ),
    http.get('*/api/conversations/conversation-1', () =>
      HttpResponse.json(makeThread([QUESTION, ANSWER], conversation)),
    ),
    http.post('*/api/conversations/conversation-1/messages', async ({ request }) => {
      sent.push((await request.json()) as SendBody);
      const answer = answers[Math.min(sent.length, answers.length) - 1];
      return answer?.();
    }),
  );
  return sent;
}

const taken = () => HttpResponse.json({ user_message: QUESTION, assistant_message: ANSWER }, { status: 202 });
const refused =
  (status: number, detail: string, headers: Record<string, string> = {}) =>
  () =>
    HttpResponse.json({ title: '', status, detail, code: 'x' }, { status, headers });

async function type(text: string) {
  await userEvent.type(await screen.findByRole('textbox', { name: 'Message' }), text);
}

describe('the application', () => {
  beforeEach(() => {
    FakeEventSource.install();
    window.scrollTo = vi.fn();
  });

  it('turns the first message into a conversation and follows its answer', async () => {
    const sent = serve(taken);
    renderApp('/');
    expect(await screen.findByTestId('demo-model')).toBeInTheDocument();
    await type('How?{Enter}');
    expect(await screen.findByTestId('answer')).toHaveAttribute('data-status', 'queued');
    expect(window.location.pathname).toBe('/c/conversation-1');
    expect(sent).toHaveLength(1);
    expect(FakeEventSource.last.url).toContain('/api/generations/answer-1/events');
    expect(screen.getByRole('textbox', { name: 'Message' })).toHaveValue('');
    await waitFor(() => expect(document.title).toBe('Writing · How? · Code Assistant'));
  });

  it('counts down while the queue is full, then sends the same message again', async () => {
    const sent = serve(refused(429, 'The queue is full.', { 'Retry-After': '1' }), taken);
    renderApp('/');
    await type('How?{Enter}');
    expect(await screen.findByText(/The queue is full\./)).toHaveTextContent('Sending again in 1 s');
    expect(await screen.findByTestId('answer', undefined, { timeout: 5000 })).toBeInTheDocument();
    expect(sent).toHaveLength(2);
    expect(sent[0]?.idempotency_key).toBe(sent[1]?.idempotency_key);
  });

  it('sends nothing more once the waiting is cancelled', async () => {
    const sent = serve(refused(429, 'The queue is full.', { 'Retry-After': '600' }), taken);
    renderApp('/');
    await type('How?{Enter}');
    await userEvent.click(await screen.findByRole('button', { name: 'Cancel' }));
    expect(screen.queryByText(/The queue is full/)).not.toBeInTheDocument();
    expect(screen.getByRole('textbox', { name: 'Message' })).toHaveValue('How?');
    expect(sent).toHaveLength(1);
  });

  it('keeps the draft when the server cannot take it, and sends it again on request', async () => {
    const sent = serve(refused(503, 'The database is away.'), taken);
    renderApp('/');
    await type('How?{Enter}');
    expect(await screen.findByRole('alert')).toHaveTextContent('The database is away.');
    expect(screen.getByRole('textbox', { name: 'Message' })).toHaveValue('How?');
    await userEvent.click(screen.getByRole('button', { name: 'Retry' }));
    expect(await screen.findByTestId('answer')).toBeInTheDocument();
    expect(sent[0]?.idempotency_key).toBe(sent[1]?.idempotency_key);
  });

  it('explains a prompt that is too long, without offering to send it again', async () => {
    serve(refused(400, 'The prompt has 9000 tokens but this model reads at most 2048.'));
    renderApp('/');
    await type('How?{Enter}');
    expect(await screen.findByRole('alert')).toHaveTextContent('at most 2048');
    expect(screen.queryByRole('button', { name: 'Retry' })).not.toBeInTheDocument();
  });

  it('leads to the sign-in when nobody is signed in, and remembers the way', async () => {
    server.use(
      http.get('*/api/me', () => HttpResponse.json({ detail: 'Sign in.' }, { status: 401 })),
      http.get('*/api/auth/methods', () => HttpResponse.json({ auth_mode: 'accounts', oidc: null })),
    );
    renderApp('/models');
    expect(await screen.findByRole('heading', { name: /Sign in/ })).toBeInTheDocument();
    expect(new URLSearchParams(window.location.search).get('next')).toBe('/models');
  });

  it('says so when a conversation is not there', async () => {
    serve(taken);
    server.use(
      http.get('*/api/conversations/gone', () =>
        HttpResponse.json({ detail: 'There is no such one.' }, { status: 404 }),
      ),
    );
    renderApp('/c/gone');
    expect(await screen.findByText('There is no such one.')).toBeInTheDocument();
    expect(screen.queryByRole('textbox')).not.toBeInTheDocument();
    await userEvent.click(within(screen.getByRole('main')).getByRole('link', { name: 'New chat' }));
    expect(await screen.findByRole('textbox')).toBeInTheDocument();
  });
});
