import { screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { delay, HttpResponse, http } from 'msw';
import { beforeEach, expect, it } from 'vitest';
import { FakeEventSource } from '@/testing/fake-event-source';
import { makeEstimate, makeMe, makeMessage, makeThread } from '@/testing/fixtures';
import { renderWithQueries } from '@/testing/render';
import { server } from '@/testing/server';
import { Chat } from './chat';

const QUESTION = makeMessage({ id: 'q1', parent_id: null, author: 'user', content: 'First try' });
const ANSWER = makeMessage({ id: 'a1', parent_id: 'q1', content: 'First answer' });
const OTHER = { ...QUESTION, id: 'q2', content: 'Second try', created_at: '2026-11-21T11:00:00Z' };
const MADE = makeMessage({ id: 'a2', parent_id: 'q2', status: 'queued' });

/** A conversation of one exchange; what is sent to it is kept, and answered by `answer`. */
async function show(answer: () => Response, question = QUESTION) {
  const sent: unknown[] = [];
  let thread = makeThread([question, ANSWER]);
  server.use(
    http.get('*/api/me', () => HttpResponse.json(makeMe())),
    http.get('*/api/conversations', () => HttpResponse.json({ pinned: [], items: [], next_before: null })),
    http.get('*/api/conversations/conversation-1', () => HttpResponse.json(thread)),
    http.post('*/api/conversations/conversation-1/messages', async ({ request }) => {
      sent.push(await request.json());
      const response = answer();
      if (response.ok) thread = makeThread([QUESTION, ANSWER, OTHER, MADE], { branch: [OTHER.id, MADE.id] });
      return response;
    }),
  );
  renderWithQueries(<Chat conversationId="conversation-1" />);
  await userEvent.click(await screen.findByRole('button', { name: 'Edit question' }));
  return { sent, field: await screen.findByRole('textbox', { name: 'Edit your question' }) };
}

const accepted = () => HttpResponse.json({ user_message: OTHER, assistant_message: MADE }, { status: 202 });

beforeEach(() => FakeEventSource.install());

it('asks in another way, beside the first, and shows the new branch', async () => {
  const { sent, field } = await show(accepted);
  expect(field).toHaveFocus();
  await userEvent.clear(field);
  await userEvent.type(field, 'Second try{Enter}');
  expect(await screen.findByText('Second try')).toBeInTheDocument();
  expect(screen.queryByText('First answer')).not.toBeInTheDocument();
  expect(screen.getByRole('button', { name: 'Previous question' })).toBeEnabled();
  expect(sent).toEqual([
    expect.objectContaining({ content: 'Second try', beside_id: 'q1', idempotency_key: expect.any(String) }),
  ]);
});

it('keeps the files of the question, but for those that are removed, and asks what it costs with them', async () => {
  const files = ['a.py', 'b.py'].map((name) => ({ id: name, name, size: 5 }));
  const asked: unknown[] = [];
  server.use(
    http.get('*/api/attachments/:id', async ({ params: { id } }) => {
      await delay(50);
      return HttpResponse.json({ id, name: id, content: `text of ${id}` });
    }),
    http.post('*/api/conversations/conversation-1/estimate', async ({ request }) => {
      asked.push(((await request.json()) as { attachments: unknown }).attachments);
      return HttpResponse.json(makeEstimate({ cached_tokens: 0, reading_s: 95 }));
    }),
  );
  const { sent, field } = await show(accepted, { ...QUESTION, attachments: files });
  const [a, b] = files.map(({ name }) => ({ name, content: `text of ${name}` }));
  await waitFor(() => expect(asked).toEqual([[a, b]]));
  await userEvent.click(screen.getByRole('button', { name: 'Remove b.py' }));
  expect(await screen.findByText(/about 2 min of reading/)).toBeInTheDocument();
  await userEvent.type(field, '{Enter}');
  await waitFor(() => expect(sent).toEqual([expect.objectContaining({ attachments: [a], beside_id: 'q1' })]));
});

it('sends nothing that is unchanged or empty', async () => {
  const { sent, field } = await show(accepted);
  await userEvent.type(field, '{Enter}');
  expect(screen.getByText(/ask for another answer instead/)).toBeInTheDocument();
  await userEvent.clear(field);
  await userEvent.type(field, '{Enter}');
  expect(screen.getByText('Write something first.')).toBeInTheDocument();
  expect(sent).toEqual([]);
});

it('stays open with what was written when it is refused, and Escape leaves all as it was', async () => {
  const { field } = await show(() => HttpResponse.json({ detail: 'Not now.' }, { status: 400 }));
  await userEvent.type(field, ', again{Enter}');
  expect(await screen.findByRole('alert')).toHaveTextContent('Not now.');
  expect(field).toHaveValue('First try, again');
  await userEvent.type(field, '{Escape}');
  await waitFor(() => expect(field).not.toBeInTheDocument());
  expect(screen.getByText('First try')).toBeInTheDocument();
});
