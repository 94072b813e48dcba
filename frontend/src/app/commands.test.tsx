import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { HttpResponse, http } from 'msw';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { SearchHit } from '@/api/generated';
import { makeConversation, makeMe, makeMessage, makeThread } from '@/testing/fixtures';
import { renderApp } from '@/testing/render';
import { server } from '@/testing/server';

const MESSAGE = '7f1a1c7e-0000-4000-8000-00000000000a';

const hit = (changes: Partial<SearchHit> = {}): SearchHit => ({
  conversation_id: 'conversation-1',
  title: 'Lists',
  title_highlights: [],
  message_id: MESSAGE,
  author: 'assistant',
  created_at: '2026-11-21T10:00:00Z',
  snippet: 'Use <b>sorted</b>',
  highlights: [[7, 13]],
  ...changes,
});

/** Serves a search that finds `pages`, one after the other. */
function serve(...pages: SearchHit[][]): string[] {
  const asked: string[] = [];
  const found = makeMessage({ id: MESSAGE, parent_id: null, content: 'Use sorted.' });
  server.use(
    http.get('*/api/me', () => HttpResponse.json(makeMe())),
    http.get('*/api/conversations', () => HttpResponse.json({ pinned: [], items: [], next_before: null })),
    http.get('*/api/conversations/conversation-1', () =>
      HttpResponse.json(makeThread([found], makeConversation())),
    ),
    http.get('*/api/search', ({ request }) => {
      const query = new URL(request.url).searchParams;
      const before = Number(query.get('before') ?? 0);
      asked.push(query.get('q') ?? '');
      return HttpResponse.json({
        items: pages[before] ?? [],
        next_before: before + 1 < pages.length ? String(before + 1) : null,
      });
    }),
  );
  return asked;
}

async function open() {
  await screen.findByRole('textbox', { name: 'Message' });
  await userEvent.keyboard('{Control>}k{/Control}');
  return screen.findByRole('combobox', { name: 'Search chats and actions' });
}

describe('the search', () => {
  beforeEach(() => {
    window.scrollTo = vi.fn();
  });

  it('finds messages once the words have settled, and shows where they are in the text', async () => {
    const asked = serve([hit()]);
    renderApp('/');
    await userEvent.type(await open(), 'sorted');
    const option = await screen.findByRole('option', { name: /Lists/ });
    expect(within(option).getByText('sorted').tagName).toBe('MARK');
    expect(option).toHaveTextContent('Answer: Use <b>sorted</b>');
    expect(asked).toEqual(['sorted']);
  });

  it('opens the message that is chosen by keyboard, and marks it', async () => {
    serve([hit({ message_id: 'other', title: 'Newer' }), hit()]);
    renderApp('/');
    const field = await open();
    await userEvent.type(field, 'sorted');
    await screen.findByRole('option', { name: /Lists/ });
    expect(screen.getByRole('option', { name: /Newer/ })).toHaveAttribute('aria-selected', 'true');
    await userEvent.keyboard('{ArrowDown}');
    const chosen = screen.getByRole('option', { name: /Lists/ });
    expect(chosen).toHaveAttribute('aria-selected', 'true');
    expect(field).toHaveAttribute('aria-activedescendant', chosen.id);
    await userEvent.keyboard('{Enter}');
    expect((await screen.findByText('Use sorted.')).closest('[data-marked]')).not.toBeNull();
    expect(window.location.pathname).toBe('/c/conversation-1');
    await waitFor(() => expect(window.location.search).toBe(''));
    await waitFor(() => expect(screen.queryByRole('dialog')).not.toBeInTheDocument());
  });

  it('goes on to older messages, and says so when there are none at all', async () => {
    serve([hit()], [hit({ message_id: 'older', title: 'Older' })]);
    renderApp('/');
    const field = await open();
    await userEvent.type(field, 'sorted');
    await userEvent.click(await screen.findByRole('button', { name: 'Show more' }));
    expect(await screen.findByRole('option', { name: /Older/ })).toBeInTheDocument();
    serve([]);
    await userEvent.clear(field);
    await userEvent.type(field, 'nothing');
    expect(await screen.findByText(/No message has these words/)).toBeInTheDocument();
  });

  it('says why it failed', async () => {
    serve();
    server.use(
      http.get('*/api/search', () =>
        HttpResponse.json({ detail: 'The words are too many.' }, { status: 400 }),
      ),
    );
    renderApp('/');
    await userEvent.type(await open(), 'words');
    expect(await screen.findByRole('alert')).toHaveTextContent('The words are too many.');
  });

  it('does what is asked for', async () => {
    serve();
    renderApp('/');
    await userEvent.type(await open(), 'dark');
    await userEvent.keyboard('{Enter}');
    expect(document.documentElement).toHaveClass('dark');
    document.documentElement.classList.remove('dark');
  });
});

describe('the palette', () => {
  it('leads admins to their pages', async () => {
    serve();
    renderApp('/');
    await userEvent.type(await open(), 'admin: over');
    await userEvent.keyboard('{Enter}');
    await waitFor(() => expect(window.location.pathname).toBe('/admin'));
  });
});

describe('shortcuts', () => {
  beforeEach(() => {
    window.scrollTo = vi.fn();
  });

  it('are listed under ?, but a ? that is typed is a letter', async () => {
    serve();
    renderApp('/');
    const message = await screen.findByRole('textbox', { name: 'Message' });
    await userEvent.type(message, '?');
    expect(message).toHaveValue('?');
    message.blur();
    await userEvent.keyboard('?');
    expect(await screen.findByRole('dialog', { name: 'Keyboard shortcuts' })).toBeInTheDocument();
  });

  it('lead to the message field and to a new chat', async () => {
    serve();
    renderApp('/c/conversation-1');
    const message = await screen.findByRole('textbox', { name: 'Message' });
    message.blur();
    await userEvent.keyboard('/');
    expect(message).toHaveFocus();
    expect(message).toHaveValue('');
    fireEvent.keyDown(message, { key: 'O', ctrlKey: true, shiftKey: true });
    await waitFor(() => expect(window.location.pathname).toBe('/'));
  });
});
