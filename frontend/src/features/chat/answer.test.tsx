import { act, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { HttpResponse, http } from 'msw';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Feedback, Message } from '@/api/generated';
import { FakeEventSource } from '@/testing/fake-event-source';
import { makeMessage, makeThread } from '@/testing/fixtures';
import { renderWithQueries } from '@/testing/render';
import { server } from '@/testing/server';
import { Answer } from './answer';
import { Cached } from './cached.fixture';

const FINISHED = makeMessage({
  content: 'Use `sorted`.',
  completion_tokens: 128,
  time_to_first_token_s: 0.42,
  duration_s: 18,
  tokens_per_second: 7.2,
});

/** A server with one message, which ratings change, and the page that shows it. */
function showInConversation(message: Message) {
  let stored = message;
  const rated: unknown[] = [];
  const whole = () => makeThread([stored]);
  server.use(
    http.get('*/api/conversations/conversation-1', () => HttpResponse.json(whole())),
    http.put<never, Feedback>('*/api/messages/answer-1/feedback', async ({ request }) => {
      const feedback = await request.json();
      rated.push(feedback);
      stored = { ...stored, feedback };
      return HttpResponse.json(feedback);
    }),
  );
  const store = (newer: Message) => {
    stored = newer;
  };
  return { store, rated, ...renderWithQueries(<Cached conversation={whole()} />) };
}

describe('an answer being made', () => {
  beforeEach(() => FakeEventSource.install());

  it('goes through its stages in words and ends with its figures', async () => {
    const { store } = showInConversation(makeMessage({ status: 'queued' }));
    const source = FakeEventSource.last;
    act(() => source.say('queued', { position: 1, eta_s: 12 }));
    expect(screen.getByTestId('stage')).toHaveTextContent('Queued, 1 ahead, about 12 s');
    act(() => source.say('text', { text: 'Use ', tokens: 1, tokens_per_second: 7 }, 4));
    expect(screen.getByTestId('stage')).toHaveTextContent('Writing, 7.0 tok/s');
    store(FINISHED);
    act(() => source.say('end', { message: FINISHED }));
    expect(await screen.findByTestId('figures')).toHaveTextContent(
      'demo-model128 tokensfirst token 0.42 stotal 18 s7.2 tok/s',
    );
    expect(screen.queryByTestId('stage')).not.toBeInTheDocument();
    expect(await screen.findByText('sorted')).toBeInTheDocument();
  });

  it('stays finished when an older state of the conversation arrives late', async () => {
    const stale = makeThread([makeMessage({ status: 'writing' })]);
    const fresh = { ...stale, messages: [FINISHED] };
    const late = Promise.withResolvers<void>();
    let questions = 0;
    server.use(
      http.get('*/api/conversations/conversation-1', async () => {
        questions += 1;
        if (questions > 1) return HttpResponse.json(fresh);
        await late.promise;
        return HttpResponse.json(stale);
      }),
    );
    const { client } = renderWithQueries(<Cached conversation={stale} />);
    void client.refetchQueries();
    await vi.waitFor(() => expect(questions).toBe(1));
    act(() => FakeEventSource.last.say('end', { message: FINISHED }));
    late.resolve();
    await vi.waitFor(() => expect(questions).toBe(2));
    await vi.waitFor(() => expect(client.isFetching()).toBe(0));
    expect(screen.getByTestId('answer')).toHaveAttribute('data-status', 'done');
  });

  it('closes its stream when it is no longer shown', () => {
    const { unmount } = showInConversation(makeMessage({ status: 'writing' }));
    unmount();
    expect(FakeEventSource.last.readyState).toBe(FakeEventSource.CLOSED);
  });

  it('learns from the stored message what became of it when the stream is refused', async () => {
    const stale = makeThread([makeMessage({ status: 'writing' })]);
    const truth = { ...stale, messages: [makeMessage({ status: 'interrupted', content: 'Use' })] };
    server.use(http.get('*/api/conversations/conversation-1', () => HttpResponse.json(truth)));
    renderWithQueries(<Cached conversation={stale} />);
    act(() => FakeEventSource.last.refuse());
    expect(await screen.findByTestId('outcome')).toHaveTextContent('Interrupted');
  });
});

describe('a finished answer', () => {
  it('opens no stream', () => {
    FakeEventSource.install();
    renderWithQueries(<Answer message={FINISHED} />);
    expect(FakeEventSource.made).toHaveLength(0);
  });

  it('offers another try when it was interrupted', async () => {
    const onRetry = vi.fn();
    const message = makeMessage({ status: 'interrupted', content: 'half' });
    renderWithQueries(<Answer message={message} onRetry={onRetry} />);
    await userEvent.click(screen.getByRole('button', { name: 'Try again' }));
    expect(onRetry).toHaveBeenCalledExactlyOnceWith(message);
  });

  it('keeps the rating when a correction is added', async () => {
    const { rated } = showInConversation(FINISHED);
    await userEvent.click(screen.getByRole('button', { name: 'Good answer' }));
    expect(await screen.findByRole('button', { name: 'Good answer', pressed: true })).toBeInTheDocument();
    await userEvent.click(screen.getByRole('button', { name: 'Correct' }));
    const editor = await screen.findByRole('textbox', { name: 'Corrected answer' });
    expect(editor).toHaveValue(FINISHED.content);
    await userEvent.clear(editor);
    await userEvent.type(editor, 'Use list.sort.');
    await userEvent.click(screen.getByRole('button', { name: 'Save correction' }));
    expect(await screen.findByRole('button', { name: 'Corrected' })).toBeInTheDocument();
    expect(rated.at(-1)).toMatchObject({ rating: 1, correction: 'Use list.sort.' });
  });

  it('keeps the correction open, with the reason, when it cannot be saved', async () => {
    showInConversation(FINISHED);
    server.use(
      http.put('*/api/messages/answer-1/feedback', () =>
        HttpResponse.json({ detail: 'The database is away.' }, { status: 503 }),
      ),
    );
    await userEvent.click(screen.getByRole('button', { name: 'Correct' }));
    const editor = await screen.findByRole('textbox', { name: 'Corrected answer' });
    await userEvent.type(editor, ' Or list.sort.');
    await userEvent.click(screen.getByRole('button', { name: 'Save correction' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('The database is away.');
    expect(editor).toHaveValue('Use `sorted`. Or list.sort.');
  });
});

describe('feedback on an answer', () => {
  it('stores the rating at once, then what is said about it, and shows it again', async () => {
    const { rated } = showInConversation(FINISHED);
    await userEvent.click(screen.getByRole('button', { name: 'Bad answer' }));
    const form = await screen.findByRole('form', { name: 'About this bad answer' });
    await vi.waitFor(() =>
      expect(rated).toEqual([{ rating: -1, tags: [], comment: null, correction: null }]),
    );
    const wrong = within(form).getByRole('checkbox', { name: 'Wrong' });
    expect(wrong).toHaveFocus();
    await userEvent.keyboard(' ');
    await userEvent.click(within(form).getByRole('checkbox', { name: 'Does not run' }));
    await userEvent.type(within(form).getByRole('textbox', { name: 'Comment' }), 'A NameError.');
    await userEvent.click(within(form).getByRole('button', { name: 'Save' }));

    const opener = await screen.findByRole('button', { name: 'Wrong +1', expanded: false });
    expect(opener).toHaveFocus();
    expect(rated.at(-1)).toMatchObject({
      rating: -1,
      tags: ['wrong', 'does_not_run'],
      comment: 'A NameError.',
    });
    await userEvent.click(opener);
    expect(screen.getByRole('checkbox', { name: 'Does not run' })).toBeChecked();
    expect(screen.getByRole('textbox', { name: 'Comment' })).toHaveValue('A NameError.');
    await userEvent.keyboard('{Escape}');
    expect(screen.queryByRole('form')).not.toBeInTheDocument();
  });

  it('keeps what was said open when it cannot be saved', async () => {
    showInConversation({ ...FINISHED, feedback: { rating: 1, tags: [], comment: null, correction: null } });
    server.use(
      http.put('*/api/messages/answer-1/feedback', () =>
        HttpResponse.json({ detail: 'The database is away.' }, { status: 503 }),
      ),
    );
    await userEvent.click(screen.getByRole('button', { name: 'Say why' }));
    await userEvent.click(await screen.findByRole('checkbox', { name: 'To the point' }));
    await userEvent.click(screen.getByRole('button', { name: 'Save' }));
    expect(await screen.findByRole('button', { name: 'Save' })).toBeEnabled();
    expect(screen.getByRole('checkbox', { name: 'To the point' })).toBeChecked();
  });

  it('leads to the correction', async () => {
    showInConversation(FINISHED);
    await userEvent.click(screen.getByRole('button', { name: 'Bad answer' }));
    await userEvent.click(await screen.findByRole('button', { name: 'Write the corrected answer' }));
    expect(await screen.findByRole('textbox', { name: 'Corrected answer' })).toHaveValue(FINISHED.content);
  });
});

it('tells once that an answer was copied, whole or in part', async () => {
  const user = userEvent.setup();
  let told = 0;
  server.use(
    http.post('*/api/messages/answer-1/copied', () => {
      told += 1;
      return new HttpResponse(null, { status: 204 });
    }),
  );
  showInConversation({ ...FINISHED, content: '```python\nx = 1\n```' });
  await user.click(await screen.findByRole('button', { name: 'Copy code' }));
  await vi.waitFor(() => expect(told).toBe(1));
  await user.click(screen.getByRole('button', { name: 'Copy answer' }));
  expect(await screen.findByRole('button', { name: 'Copied' })).toBeInTheDocument();
  expect(told).toBe(1);
});
