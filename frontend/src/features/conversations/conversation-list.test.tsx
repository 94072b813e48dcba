import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { HttpResponse, http } from 'msw';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Conversation, UpdateConversation } from '@/api/generated';
import { makeConversation, makeMe } from '@/testing/fixtures';
import { renderApp } from '@/testing/render';
import { server } from '@/testing/server';

/** A server that keeps conversations, and changes them as it is told. */
function serve(...begin: Conversation[]) {
  const kept = new Map(begin.map((conversation) => [conversation.id, conversation]));
  const changes: UpdateConversation[] = [];
  const all = () => [...kept.values()];
  server.use(
    http.get('*/api/me', () => HttpResponse.json(makeMe())),
    http.get('*/api/conversations', ({ request }) => {
      const query = new URL(request.url).searchParams;
      const folder = query.get('folder');
      const these = all()
        .filter(({ archived }) => archived === (query.get('archived') === 'true'))
        .filter((conversation) => folder === null || conversation.folder === folder);
      return HttpResponse.json({
        pinned: these.filter(({ pinned }) => pinned),
        items: these.filter(({ pinned }) => !pinned),
        next_before: null,
      });
    }),
    http.get('*/api/conversations/folders', () => {
      const names = all().flatMap(({ folder, archived }) => (folder && !archived ? [folder] : []));
      return HttpResponse.json({ items: [...new Set(names)].map((name) => ({ name, conversations: 1 })) });
    }),
    http.patch<{ id: string }, UpdateConversation>('*/api/conversations/:id', async ({ request, params }) => {
      const change = await request.json();
      changes.push(change);
      const changed = { ...kept.get(params.id), ...change } as Conversation;
      kept.set(params.id, changed);
      return HttpResponse.json(changed);
    }),
  );
  return changes;
}

const list = () => screen.getByRole('navigation', { name: 'Conversations' });

async function choose(title: string, action: string) {
  await userEvent.click(await screen.findByRole('button', { name: `Actions for ${title}` }));
  await userEvent.click(await screen.findByRole('menuitem', { name: action }));
}

const SORT = makeConversation({ id: 'c1', title: 'Sort' });
const SEARCH = makeConversation({ id: 'c2', title: 'Search', folder: 'Work' });

describe('the list of conversations', () => {
  beforeEach(() => {
    window.scrollTo = vi.fn();
  });

  it('lists what is pinned on top, and lets it go again', async () => {
    const changes = serve(SORT);
    renderApp('/');
    await choose('Sort', 'Pin');
    const pinned = await screen.findByRole('region', { name: 'Pinned' });
    expect(within(pinned).getByRole('link', { name: 'Sort' })).toBeInTheDocument();
    await choose('Sort', 'Unpin');
    await waitFor(() => expect(screen.queryByRole('region', { name: 'Pinned' })).not.toBeInTheDocument());
    expect(changes).toEqual([{ pinned: true }, { pinned: false }]);
  });

  it('shows a folder when it is opened, and remembers that it is open', async () => {
    serve(SORT, SEARCH);
    const first = renderApp('/');
    const folder = await screen.findByRole('button', { name: 'Work' });
    expect(within(list()).queryByRole('link', { name: 'Search' })).not.toBeInTheDocument();
    await userEvent.click(folder);
    expect(folder).toHaveAttribute('aria-expanded', 'true');
    expect(await screen.findByRole('link', { name: 'Search' })).toBeInTheDocument();
    first.unmount();
    renderApp('/');
    expect(await screen.findByRole('link', { name: 'Search' })).toBeInTheDocument();
  });

  it('moves a conversation into a folder there is, into a new one, and out', async () => {
    const changes = serve(SORT, SEARCH);
    renderApp('/');
    await choose('Sort', 'Move to folder…');
    const dialog = await screen.findByRole('dialog', { name: 'Move to folder' });
    await userEvent.click(within(dialog).getByRole('button', { name: 'Work' }));
    await waitFor(() => expect(changes).toEqual([{ folder: 'Work' }]));
    const work = await within(list()).findByRole('button', { name: 'Work' });
    await waitFor(() => expect(work).toHaveAttribute('aria-expanded', 'true'));
    await choose('Sort', 'Move to folder…');
    await userEvent.type(await screen.findByRole('textbox', { name: 'New folder' }), ' Home {Enter}');
    await waitFor(() => expect(changes.at(-1)).toEqual({ folder: 'Home' }));
    await choose('Sort', 'Move to folder…');
    await userEvent.click(await screen.findByRole('button', { name: 'Out of “Home”' }));
    await waitFor(() => expect(changes.at(-1)).toEqual({ folder: null }));
  });

  it('puts a conversation away, and brings it back', async () => {
    serve(SORT);
    renderApp('/');
    await choose('Sort', 'Archive');
    await waitFor(() => expect(screen.queryByRole('link', { name: 'Sort' })).not.toBeInTheDocument());
    await userEvent.click(screen.getByRole('button', { name: 'Archived' }));
    expect(await screen.findByRole('link', { name: 'Sort' })).toBeInTheDocument();
    await choose('Sort', 'Unarchive');
    await screen.findByText('Nothing is here.');
    expect(within(list()).getByRole('link', { name: 'Sort' })).toBeInTheDocument();
  });

  it('saves a conversation as Markdown', async () => {
    serve(SORT);
    const formats: (string | null)[] = [];
    server.use(
      http.get('*/api/conversations/c1/export', ({ request }) => {
        formats.push(new URL(request.url).searchParams.get('format'));
        return new HttpResponse('# Sort', { headers: { 'Content-Type': 'text/markdown' } });
      }),
    );
    const saved: string[] = [];
    URL.createObjectURL = () => 'blob:file';
    vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function (this: HTMLAnchorElement) {
      saved.push(this.download);
    });
    renderApp('/');
    await choose('Sort', 'Export as Markdown');
    await waitFor(() => expect(saved).toEqual(['conversation-c1.md']));
    expect(formats).toEqual(['markdown']);
    vi.restoreAllMocks();
  });

  it('says why a change was refused', async () => {
    serve(SORT);
    server.use(
      http.patch('*/api/conversations/c1', () =>
        HttpResponse.json({ detail: 'The database is away.' }, { status: 500 }),
      ),
    );
    renderApp('/');
    await choose('Sort', 'Pin');
    expect((await screen.findAllByText(/The database is away\./)).length).toBeGreaterThan(0);
  });
});
