import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { HttpResponse, http } from 'msw';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Export } from '@/api/generated';
import { makeConversation, makeMe } from '@/testing/fixtures';
import { renderApp } from '@/testing/render';
import { server } from '@/testing/server';

interface Given {
  title: string;
  messages: unknown[];
}

const exportOf = (...conversations: Given[]) =>
  new File(
    [JSON.stringify({ format: 'codellama-conversations', version: 1, conversations })],
    'conversations.json',
    { type: 'application/json' },
  );

/** A server that takes in conversations, but for those called so; gives the titles of each portion that it took. */
function serve(refused: string | null = null): string[][] {
  const taken: string[][] = [];
  server.use(
    http.get('*/api/me', () => HttpResponse.json(makeMe())),
    http.get('*/api/me/keys', () => HttpResponse.json({ items: [] })),
    http.get('*/api/conversations', () => HttpResponse.json({ pinned: [], items: [], next_before: null })),
    http.post<never, Export>('*/api/conversations/import', async ({ request }) => {
      const { conversations } = await request.json();
      const titles = conversations.map(({ title }) => title);
      if (refused && titles.includes(refused))
        return HttpResponse.json(
          { detail: 'These messages follow one another in a circle.' },
          { status: 400 },
        );
      taken.push(titles);
      const made = titles.map((title, index) => makeConversation({ id: `made-${index}`, title }));
      const messages = conversations.reduce((count, each) => count + each.messages.length, 0);
      return HttpResponse.json({ conversations: made, messages }, { status: 201 });
    }),
  );
  return taken;
}

async function choose(file: File): Promise<void> {
  renderApp('/settings');
  await userEvent.upload(await screen.findByLabelText('File to import'), file);
}

beforeEach(() => {
  window.scrollTo = vi.fn();
});

describe('an import', () => {
  it('says how much it took in', async () => {
    const taken = serve();
    await choose(exportOf({ title: 'One', messages: [1, 2] }, { title: 'Two', messages: [3] }));
    expect(await screen.findByText('2 conversations, 3 messages imported.')).toBeInTheDocument();
    expect(taken).toEqual([['One', 'Two']]);
  });

  it('takes in the others where one is refused, and says which and why', async () => {
    const taken = serve('Bad');
    const given = ['One', 'Two', 'Bad', 'Three'].map((title) => ({ title, messages: [1] }));
    await choose(exportOf(...given));
    expect(await screen.findByText(/3 conversations, 3 messages imported\. 1 refused/)).toBeInTheDocument();
    const list = screen.getByRole('list', { name: 'Not imported' });
    expect(within(list).getByRole('listitem')).toHaveTextContent('Bad These messages follow one another');
    expect(taken.flat()).toEqual(['One', 'Two', 'Three']);
  });

  it('goes on where it stopped when the server was away', async () => {
    const taken = serve();
    server.use(
      http.post(
        '*/api/conversations/import',
        () => HttpResponse.json({ detail: 'The database is away.' }, { status: 503 }),
        { once: true },
      ),
    );
    await choose(exportOf({ title: 'One', messages: [] }));
    expect(await screen.findByText('The database is away.')).toBeInTheDocument();
    await userEvent.click(screen.getByRole('button', { name: 'Go on' }));
    expect(await screen.findByText('1 conversation, 0 messages imported.')).toBeInTheDocument();
    expect(taken).toEqual([['One']]);
  });

  it('explains a file that is none', async () => {
    serve();
    await choose(new File(['%PDF'], 'x.json', { type: 'application/json' }));
    expect(await screen.findByText(/This is no export of ours/)).toBeInTheDocument();
  });
});

it('deletes the archived conversations once that is confirmed in words', async () => {
  serve();
  const asked: (string | null)[] = [];
  server.use(
    http.delete('*/api/conversations', ({ request }) => {
      asked.push(new URL(request.url).searchParams.get('archived'));
      return HttpResponse.json({ deleted: 3 });
    }),
  );
  renderApp('/settings');
  await userEvent.click(await screen.findByRole('button', { name: 'Delete archived…' }));
  const confirm = await screen.findByRole('button', { name: 'Delete for good' });
  expect(confirm).toBeDisabled();
  await userEvent.type(screen.getByRole('textbox', { name: 'Type delete to confirm' }), 'delete');
  await userEvent.click(confirm);
  expect(await screen.findByText('3 conversations were deleted.')).toBeInTheDocument();
  expect(asked).toEqual(['true']);
  await waitFor(() => expect(screen.queryByRole('dialog')).not.toBeInTheDocument());
});
