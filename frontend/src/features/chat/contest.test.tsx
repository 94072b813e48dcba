import { act, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { HttpResponse, http } from 'msw';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Comparison, Message } from '@/api/generated';
import { FakeEventSource } from '@/testing/fake-event-source';
import { makeComparison, makeMe, makeMessage, makeThread } from '@/testing/fixtures';
import { renderWithQueries } from '@/testing/render';
import { server } from '@/testing/server';
import { Chat } from './chat';

const QUESTION = makeMessage({ id: 'q', parent_id: null, author: 'user', content: 'Which?' });
const side = (id: 'left' | 'right', changes: Partial<Message> = {}) =>
  makeMessage({ id, parent_id: 'q', model: null, content: `The ${id} one`, ...changes });

/** Serves a conversation with a comparison; `state` may be changed by the test as the server would. */
function serve(state: { messages: Message[]; comparison: Comparison }) {
  const shown = () => (state.comparison.vote === 'left' ? 'left' : 'right');
  server.use(
    http.get('*/api/me', () => HttpResponse.json(makeMe())),
    http.get('*/api/conversations', () => HttpResponse.json({ pinned: [], items: [], next_before: null })),
    http.get('*/api/models/served', () =>
      HttpResponse.json({
        items: ['demo', 'demo-q4'].map((name) => ({ name, alias: null, version_id: null, demo: true })),
        defaults: { temperature: 0.2, top_p: 0.95, max_tokens: 2048 },
      }),
    ),
    http.get('*/api/conversations/conversation-1', () =>
      HttpResponse.json(
        makeThread(state.messages, { branch: ['q', shown()], comparisons: [state.comparison] }),
      ),
    ),
  );
}

// Compiled before the first test begins to wait for it.
beforeAll(async () => {
  await Promise.all([import('./contest'), import('@/components/markdown/renderer')]);
}, 60_000);

beforeEach(() => FakeEventSource.install());

describe('a blind comparison', () => {
  it('shows both answers without names, and tells them after the vote', async () => {
    const state = { messages: [QUESTION, side('left'), side('right')], comparison: makeComparison() };
    serve(state);
    const votes: unknown[] = [];
    server.use(
      http.post('*/api/comparisons/comparison-1/vote', async ({ request }) => {
        votes.push(await request.json());
        const named = { left_model: 'demo', right_model: 'demo-q4' };
        state.comparison = makeComparison({ vote: 'left', closed: true, ...named });
        return HttpResponse.json(state.comparison);
      }),
    );
    renderWithQueries(<Chat conversationId="conversation-1" />);
    const left = await screen.findByRole('article', { name: 'Left answer' });
    expect(left).toHaveTextContent('The left one');
    expect(screen.getByRole('article', { name: 'Right answer' })).toHaveTextContent('The right one');
    await userEvent.click(screen.getByRole('button', { name: 'Left is better' }));
    expect(await screen.findByTestId('verdict')).toHaveTextContent('you preferred demo to demo-q4');
    expect(screen.getByRole('article', { name: 'Answer' })).toHaveTextContent('The left one');
    expect(votes).toEqual([{ vote: 'left' }]);
  });

  it('says that the right answer waits, and has no vote before both are written', async () => {
    const state = {
      messages: [
        QUESTION,
        side('left', { status: 'queued', content: '' }),
        side('right', { status: 'queued', content: '' }),
      ],
      comparison: makeComparison(),
    };
    serve(state);
    const stopped: string[] = [];
    server.use(
      http.post('*/api/generations/:id/stop', ({ params }) => {
        stopped.push(String(params.id));
        return HttpResponse.json({ status: 'writing' }, { status: 202 });
      }),
    );
    renderWithQueries(<Chat conversationId="conversation-1" />);
    const right = await screen.findByRole('article', { name: 'Right answer' });
    expect(right).toHaveTextContent('Waits for the left answer');
    expect(screen.queryByRole('group', { name: 'Which answer is better?' })).not.toBeInTheDocument();
    await userEvent.click(screen.getByRole('button', { name: 'Stop' }));
    await waitFor(() => expect(stopped.toSorted()).toEqual(['left', 'right']));
    state.messages = [QUESTION, side('left'), side('right', { status: 'queued', content: '' })];
    const first = FakeEventSource.made.find(({ url }) => url.includes('left'));
    act(() => first?.say('end', { message: side('left') }));
    await waitFor(() => expect(right).not.toHaveTextContent('Waits'));
  });

  it('keeps the composer from sending until it is closed', async () => {
    serve({ messages: [QUESTION, side('left'), side('right')], comparison: makeComparison() });
    renderWithQueries(<Chat conversationId="conversation-1" />);
    await screen.findByRole('article', { name: 'Left answer' });
    await userEvent.type(screen.getByRole('textbox', { name: 'Message' }), 'And?{Enter}');
    expect(screen.getByText(/Vote on the two answers first/)).toBeInTheDocument();
  });

  it('that broke off is run again, or ended', async () => {
    const state = {
      messages: [QUESTION, side('left'), side('right', { status: 'interrupted' })],
      comparison: makeComparison(),
    };
    serve(state);
    let again = 0;
    server.use(
      http.post('*/api/comparisons/comparison-1/again', () => {
        again += 1;
        return HttpResponse.json({ detail: 'Not now.' }, { status: 409 });
      }),
      http.post('*/api/comparisons/comparison-1/end', () => {
        const named = { left_model: 'demo', right_model: 'demo-q4' };
        state.comparison = makeComparison({ closed: true, ...named });
        return HttpResponse.json(state.comparison);
      }),
    );
    renderWithQueries(<Chat conversationId="conversation-1" />);
    const section = await screen.findByRole('region', { name: 'Comparison of two answers' });
    await userEvent.click(within(section).getByRole('button', { name: 'Run what is missing' }));
    await waitFor(() => expect(again).toBe(1));
    await userEvent.click(within(section).getByRole('button', { name: 'End without a vote' }));
    expect(await screen.findByTestId('verdict')).toHaveTextContent('left was demo, right was demo-q4');
  });

  it('is begun from the composer', async () => {
    const state = { messages: [] as Message[], comparison: makeComparison({ closed: true, vote: 'tie' }) };
    serve(state);
    const asked: unknown[] = [];
    server.use(
      http.post('*/api/conversations/conversation-1/comparisons', async ({ request }) => {
        asked.push(await request.json());
        const [left, right] = [side('left', { content: '' }), side('right', { content: '' })];
        state.messages = [QUESTION, left, right];
        state.comparison = makeComparison();
        return HttpResponse.json(
          { comparison: state.comparison, user_message: QUESTION, left, right },
          { status: 202 },
        );
      }),
    );
    renderWithQueries(<Chat conversationId="conversation-1" />);
    await userEvent.type(await screen.findByRole('textbox', { name: 'Message' }), 'Which?');
    await userEvent.click(await screen.findByRole('button', { name: 'Compare two models' }));
    expect(await screen.findByRole('article', { name: 'Left answer' })).toBeInTheDocument();
    expect(asked).toMatchObject([{ content: 'Which?', models: ['demo', 'demo-q4'] }]);
    expect(screen.getByRole('textbox', { name: 'Message' })).toHaveValue('');
  });
});
