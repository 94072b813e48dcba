import { act, fireEvent, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { HttpResponse, http } from 'msw';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { ConversationWithMessages, Message } from '@/api/generated';
import { FakeEventSource } from '@/testing/fake-event-source';
import { makeMe, makeMessage, makeThread } from '@/testing/fixtures';
import { renderWithQueries } from '@/testing/render';
import { server } from '@/testing/server';
import { Chat } from './chat';

const ask = (id: string, parent: string | null, changes: Partial<Message> = {}) =>
  makeMessage({ id, parent_id: parent, author: 'user', content: `Question ${id}`, ...changes });
const answer = (id: string, parent: string, changes: Partial<Message> = {}) =>
  makeMessage({ id, parent_id: parent, content: `Answer ${id}`, ...changes });

const Q1 = ask('q1', null);
const A1 = answer('a1', 'q1');
const Q2 = ask('q2', 'a1');
const A2 = answer('a2', 'q2');

/** Serves the pages of one conversation; `pages` has them by what is asked for. */
function serve(pages: (query: URLSearchParams) => ConversationWithMessages | Response) {
  const asked: string[] = [];
  server.use(
    http.get('*/api/me', () => HttpResponse.json(makeMe())),
    http.get('*/api/conversations', () => HttpResponse.json({ pinned: [], items: [], next_before: null })),
    http.get('*/api/conversations/conversation-1', ({ request }) => {
      const query = new URL(request.url).searchParams;
      asked.push(['before', 'after', 'around'].map((name) => query.get(name)).find(Boolean) ?? 'end');
      const page = pages(query);
      return page instanceof Response ? page : HttpResponse.json(page);
    }),
  );
  return asked;
}

const shown = () => screen.getAllByRole('article').map((article) => article.textContent);

beforeEach(() => {
  FakeEventSource.install();
});

describe('a long conversation', () => {
  const end = makeThread([Q2, A2], { earlier: true });
  const start = makeThread([Q1, A1], { later: true });

  it('loads what comes before when the reader nears the top, once, and keeps it', async () => {
    const asked = serve((query) => (query.has('before') ? start : end));
    const { client } = renderWithQueries(<Chat conversationId="conversation-1" />);
    const region = await screen.findByRole('region', { name: 'Conversation' });
    expect(shown()).toHaveLength(2);
    fireEvent.scroll(region);
    fireEvent.scroll(region);
    expect(screen.getByRole('button', { name: 'Loading earlier messages…' })).toBeInTheDocument();
    await screen.findByText('Question q1');
    expect(shown()[0]).toContain('Question q1');
    expect(screen.queryByRole('button', { name: /earlier messages/ })).not.toBeInTheDocument();
    expect(asked).toEqual(['end', 'q2']);
    await act(() => client.refetchQueries());
    expect(shown()).toHaveLength(4);
  });

  it('keeps what is read in its place', async () => {
    // The messages put in front take 500 pixels.
    vi.spyOn(Element.prototype, 'getBoundingClientRect').mockImplementation(function (this: Element) {
      const pushed = this.matches('[data-message=q2]') && screen.queryByText('Question q1');
      return { top: pushed ? 600 : 100, height: 0, width: 0 } as DOMRect;
    });
    serve((query) => (query.has('before') ? start : end));
    renderWithQueries(<Chat conversationId="conversation-1" />);
    const region = await screen.findByRole('region', { name: 'Conversation' });
    region.scrollTop = 20;
    fireEvent.scroll(region);
    await screen.findByText('Question q1');
    expect(region.scrollTop).toBe(520);
    vi.restoreAllMocks();
  });

  it('says why earlier messages did not come, and tries again on request', async () => {
    let away = true;
    serve((query) => {
      if (!query.has('before')) return end;
      return away ? HttpResponse.json({ detail: 'The database is away.' }, { status: 500 }) : start;
    });
    renderWithQueries(<Chat conversationId="conversation-1" />);
    await userEvent.click(await screen.findByRole('button', { name: 'Show earlier messages' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('The database is away.');
    away = false;
    await userEvent.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByText('Question q1')).toBeInTheDocument();
  });

  it('opens around a message, marks it, and goes on to the end', async () => {
    const asked = serve((query) => {
      if (query.has('after')) return makeThread([Q2, A2], { earlier: true });
      return makeThread([Q1, A1], { later: true });
    });
    const onShown = vi.fn();
    renderWithQueries(<Chat conversationId="conversation-1" message="a1" onShown={onShown} />);
    const hit = await screen.findByText('Answer a1');
    expect(hit.closest('[data-marked]')).not.toBeNull();
    expect(onShown).toHaveBeenCalledOnce();
    await userEvent.click(screen.getByRole('button', { name: 'Show later messages' }));
    expect(await screen.findByText('Answer a2')).toBeInTheDocument();
    expect(asked).toEqual(['a1', 'a1']);
  });

  it('shows its end when the message to open is gone', async () => {
    serve((query) =>
      query.has('around')
        ? HttpResponse.json({ detail: 'No such message.', param: 'around' }, { status: 400 })
        : makeThread([Q2, A2]),
    );
    renderWithQueries(<Chat conversationId="conversation-1" message="gone" />);
    expect(await screen.findByText('Answer a2')).toBeInTheDocument();
  });
});

describe('answers beside each other', () => {
  const other = answer('a1b', 'q1', { created_at: '2026-11-21T10:01:00Z' });

  it('are gone through, and the one that is shown is replied to', async () => {
    const all = [Q1, A1, other];
    const asked = serve((query) => makeThread(all, { branch: ['q1', query.get('around') ?? 'a1b'] }));
    const sent: unknown[] = [];
    server.use(
      http.post('*/api/conversations/conversation-1/messages', async ({ request }) => {
        sent.push(await request.json());
        return HttpResponse.json({ detail: 'Not now.' }, { status: 400 });
      }),
    );
    renderWithQueries(<Chat conversationId="conversation-1" />);
    expect(await screen.findByText('Answer a1b')).toBeInTheDocument();
    expect(screen.getByRole('button', { name: 'Next answer' })).toBeDisabled();
    await userEvent.click(screen.getByRole('button', { name: 'Previous answer' }));
    expect(await screen.findByText('Answer a1')).toBeInTheDocument();
    expect(screen.queryByText('Answer a1b')).not.toBeInTheDocument();
    await waitFor(() => expect(asked).toEqual(['end', 'a1']));
    await userEvent.type(screen.getByRole('textbox', { name: 'Message' }), 'And?{Enter}');
    await waitFor(() => expect(sent).toHaveLength(1));
    expect(sent[0]).toMatchObject({ content: 'And?', parent_id: 'a1' });
  });

  it('are made by asking again, after a wait where the queue is full', async () => {
    let messages = [Q1, A1];
    serve(() => makeThread(messages, { branch: ['q1', messages.at(-1)?.id ?? ''] }));
    const keys: unknown[] = [];
    server.use(
      http.post('*/api/messages/a1/regenerate', async ({ request }) => {
        keys.push(((await request.json()) as { idempotency_key: string }).idempotency_key);
        if (keys.length === 1)
          return HttpResponse.json(
            { detail: 'The queue is full.' },
            { status: 429, headers: { 'Retry-After': '1' } },
          );
        const made = { ...other, content: '', status: 'queued' as const };
        messages = [...messages, made];
        return HttpResponse.json({ user_message: Q1, assistant_message: made }, { status: 202 });
      }),
    );
    renderWithQueries(<Chat conversationId="conversation-1" />);
    await userEvent.click(await screen.findByRole('button', { name: 'Regenerate' }));
    expect(await screen.findByText(/The queue is full\./)).toHaveTextContent('Sending again in 1 s');
    expect(await screen.findByTestId('stage', undefined, { timeout: 5000 })).toBeInTheDocument();
    expect(screen.queryByText('Answer a1')).not.toBeInTheDocument();
    expect(new Set(keys).size).toBe(1);
    expect(screen.getByRole('button', { name: 'Previous answer' })).toBeEnabled();
    expect(screen.queryByRole('button', { name: 'Regenerate' })).not.toBeInTheDocument();
  });
});

describe('an answer that broke off', () => {
  it('goes on in its place', async () => {
    let stored = answer('a1', 'q1', { status: 'queued', content: '' });
    serve(() => makeThread([Q1, stored]));
    server.use(
      http.post('*/api/messages/a1/continue', () => {
        stored = { ...stored, status: 'queued', finish_reason: null };
        return HttpResponse.json({ user_message: Q1, assistant_message: stored }, { status: 202 });
      }),
    );
    renderWithQueries(<Chat conversationId="conversation-1" />);
    await screen.findByTestId('stage');
    stored = answer('a1', 'q1', { status: 'done', finish_reason: 'length', content: 'One' });
    act(() => FakeEventSource.last.say('end', { message: stored }));
    await userEvent.click(await screen.findByRole('button', { name: 'Continue' }));
    expect(await screen.findByTestId('stage')).toBeInTheDocument();
    act(() => FakeEventSource.last.say('snapshot', { text: 'One', seq: 1 }));
    act(() => FakeEventSource.last.say('text', { text: ' two', tokens: 2, tokens_per_second: 7 }, 2));
    expect(await within(screen.getByTestId('answer')).findByText('One two')).toBeInTheDocument();
  });

  it('says so when it cannot', async () => {
    serve(() => makeThread([Q1, answer('a1', 'q1', { status: 'stopped' })]));
    server.use(
      http.post('*/api/messages/a1/continue', () =>
        HttpResponse.json({ detail: 'This answer has been replied to.' }, { status: 409 }),
      ),
    );
    renderWithQueries(<Chat conversationId="conversation-1" />);
    await userEvent.click(await screen.findByRole('button', { name: 'Continue' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('This answer has been replied to.');
  });
});
