import { screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { HttpResponse, http } from 'msw';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { SavedPrompt, SavePrompt } from '@/api/generated';
import { makeMe, makePrompt } from '@/testing/fixtures';
import { renderApp } from '@/testing/render';
import { server } from '@/testing/server';

const REVIEW = makePrompt();
const TESTS = makePrompt({ id: 'prompt-2', title: 'Unit tests', content: 'Write pytest tests.' });

/** A server that keeps prompts. */
function serve(...prompts: SavedPrompt[]): { stored: () => SavedPrompt[] } {
  let stored = prompts;
  server.use(
    http.get('*/api/me', () => HttpResponse.json(makeMe())),
    http.get('*/api/conversations', () => HttpResponse.json({ pinned: [], items: [], next_before: null })),
    http.get('*/api/prompts', () => HttpResponse.json({ items: stored })),
    http.post<never, SavePrompt>('*/api/prompts', async ({ request }) => {
      const made = makePrompt({ id: `prompt-${stored.length + 10}`, ...(await request.json()) });
      stored = [...stored, made];
      return HttpResponse.json(made, { status: 201 });
    }),
    http.patch<{ id: string }, SavePrompt>('*/api/prompts/:id', async ({ params, request }) => {
      const change = await request.json();
      stored = stored.map((prompt) => (prompt.id === params.id ? { ...prompt, ...change } : prompt));
      return HttpResponse.json(stored.find(({ id }) => id === params.id));
    }),
    http.delete('*/api/prompts/:id', ({ params }) => {
      stored = stored.filter(({ id }) => id !== params.id);
      return new HttpResponse(null, { status: 204 });
    }),
  );
  return { stored: () => stored };
}

beforeEach(() => {
  window.scrollTo = vi.fn();
});

describe('the saved prompts', () => {
  it('are put in by /, which leaves nothing behind', async () => {
    serve(REVIEW, TESTS);
    renderApp('/');
    const field = await screen.findByRole('textbox', { name: 'Message' });
    await userEvent.type(field, '/');
    const search = await screen.findByRole('combobox', { name: 'Search your prompts' });
    expect(await screen.findAllByRole('option')).toHaveLength(2);
    await userEvent.type(search, 'pytest{Enter}');
    expect(field).toHaveValue('Write pytest tests.');
    await vi.waitFor(() => expect(field).toHaveFocus());
    await userEvent.type(field, ' a/b');
    expect(screen.queryByRole('dialog')).not.toBeInTheDocument();
  });

  it('go below what is written already, and let a / be written', async () => {
    serve(REVIEW);
    renderApp('/');
    const field = await screen.findByRole('textbox', { name: 'Message' });
    await userEvent.type(field, '/');
    await screen.findByRole('dialog');
    await userEvent.keyboard('{Escape}');
    await vi.waitFor(() => expect(field).toHaveFocus());
    await userEvent.type(field, 'etc');
    await userEvent.click(screen.getByRole('button', { name: 'Saved prompts' }));
    await userEvent.click(await screen.findByRole('option', { name: /Review/ }));
    expect(field).toHaveValue('/etc\n\nLook for races in this code.');
  });

  it('are made, changed, used, deleted and brought back on their page', async () => {
    const { stored } = serve();
    renderApp('/prompts');
    expect(await screen.findByText(/No prompt yet/)).toBeInTheDocument();
    await userEvent.click(screen.getByRole('button', { name: 'New prompt' }));
    const dialog = await screen.findByRole('dialog', { name: 'New prompt' });
    await userEvent.type(within(dialog).getByRole('textbox', { name: 'Name' }), 'Explain');
    await userEvent.type(within(dialog).getByRole('textbox', { name: 'Text' }), 'Explain this.');
    await userEvent.click(within(dialog).getByRole('button', { name: 'Save' }));

    await userEvent.click(await screen.findByRole('button', { name: 'Edit Explain' }));
    const text = await screen.findByRole('textbox', { name: 'Text' });
    await userEvent.type(text, ' Briefly.');
    await userEvent.click(screen.getByRole('button', { name: 'Save' }));
    expect(await screen.findByText('Explain this. Briefly.')).toBeInTheDocument();

    await userEvent.click(screen.getByRole('button', { name: 'Delete Explain' }));
    expect(await screen.findByText(/No prompt yet/)).toBeInTheDocument();
    await userEvent.click(await screen.findByRole('button', { name: 'Undo' }));
    await userEvent.click(await screen.findByRole('button', { name: 'Use Explain' }));
    expect(await screen.findByRole('textbox', { name: 'Message' })).toHaveValue('Explain this. Briefly.');
    expect(stored()).toHaveLength(1);
  });

  it('say why one was not saved, and keep what was typed', async () => {
    serve(REVIEW);
    const detail = 'You have 500 saved prompts; delete one that is not used any more.';
    server.use(http.post('*/api/prompts', () => HttpResponse.json({ detail }, { status: 409 })));
    renderApp('/prompts');
    await userEvent.click(await screen.findByRole('button', { name: 'New prompt' }));
    await userEvent.type(await screen.findByRole('textbox', { name: 'Name' }), 'One more');
    await userEvent.type(screen.getByRole('textbox', { name: 'Text' }), 'x');
    await userEvent.click(screen.getByRole('button', { name: 'Save' }));
    expect(await screen.findByRole('alert')).toHaveTextContent(detail);
    expect(screen.getByRole('textbox', { name: 'Name' })).toHaveValue('One more');
  });
});
