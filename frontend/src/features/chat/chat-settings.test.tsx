import { screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { HttpResponse, http } from 'msw';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ChatSettings, ServedModel } from '@/api/generated';
import { FakeEventSource } from '@/testing/fake-event-source';
import { makeMe, makeMessage, makeSettings, makeThread } from '@/testing/fixtures';
import { renderApp, renderWithQueries } from '@/testing/render';
import { server } from '@/testing/server';
import { Chat } from './chat';
import { areSame, ownSettings } from './chat-settings';

const CHAMPION: ServedModel = { name: 'demo', alias: 'champion', version_id: null, demo: true };
const CHALLENGER: ServedModel = { name: 'demo-q4', alias: 'challenger', version_id: null, demo: true };
const QUESTION = makeMessage({ id: 'q', parent_id: null, author: 'user', content: 'Hello?' });
const ANSWER = makeMessage({ id: 'a', parent_id: 'q', content: 'Hello.' });

/** Serves a conversation with these settings; what is changed of them is returned as it comes. */
function serve(settings: Partial<ChatSettings>, models: ServedModel[] = [CHAMPION]) {
  const stored = makeSettings(settings);
  const changes: unknown[] = [];
  server.use(
    http.get('*/api/me', () => HttpResponse.json(makeMe())),
    http.get('*/api/conversations', () => HttpResponse.json({ pinned: [], items: [], next_before: null })),
    http.get('*/api/conversations/folders', () => HttpResponse.json({ items: [] })),
    http.get('*/api/models/served', () =>
      HttpResponse.json({ items: models, defaults: { temperature: 0.2, top_p: 0.95, max_tokens: 2048 } }),
    ),
    http.get('*/api/conversations/conversation-1', () =>
      HttpResponse.json(makeThread([QUESTION, ANSWER], { settings: stored })),
    ),
    http.patch('*/api/conversations/conversation-1', async ({ request }) => {
      const body = (await request.json()) as { settings: Partial<ChatSettings> };
      changes.push(body);
      if ((body.settings.temperature ?? 0) > 1.5)
        return HttpResponse.json({ detail: 'Not that hot.' }, { status: 400 });
      Object.assign(stored, body.settings);
      return HttpResponse.json({ ...makeThread([]), settings: stored });
    }),
  );
  return changes;
}

beforeEach(() => FakeEventSource.install());

describe('what is said of settings', () => {
  it('names each that is not the default, but not the model', () => {
    expect(ownSettings(makeSettings({ model: 'demo' }))).toBeNull();
    expect(ownSettings(makeSettings({ system_prompt: 'x', temperature: 0 }))).toBe(
      'Own system prompt, temperature 0',
    );
  });

  it('tells two system prompts apart', () => {
    expect(areSame(makeSettings({ system_prompt: 'x' }), makeSettings({ system_prompt: 'y' }))).toBe(false);
    expect(areSame(makeSettings(), makeSettings())).toBe(true);
  });
});

describe('the settings of a chat', () => {
  it('show the defaults, are saved together, and show as a sign', async () => {
    const changes = serve({});
    renderWithQueries(<Chat conversationId="conversation-1" />);
    await userEvent.click(await screen.findByRole('button', { name: 'Settings of this chat' }));
    const temperature = await screen.findByRole('spinbutton', { name: 'Temperature' });
    expect(temperature).toHaveAttribute('placeholder', 'Default: 0.2');
    await userEvent.type(screen.getByRole('textbox', { name: 'System prompt' }), 'Code only.');
    await userEvent.type(temperature, '0.7');
    await userEvent.click(screen.getByRole('button', { name: 'Save' }));
    const sign = /Own system prompt, temperature 0\.7/;
    expect(await screen.findByRole('button', { name: sign })).toBeInTheDocument();
    expect(changes).toEqual([
      { settings: { system_prompt: 'Code only.', temperature: 0.7, top_p: null, max_tokens: null } },
    ]);
  });

  it('are the defaults again after a reset', async () => {
    const changes = serve({ temperature: 1, max_tokens: 10 });
    renderWithQueries(<Chat conversationId="conversation-1" />);
    await userEvent.click(await screen.findByRole('button', { name: /at most 10 tokens/ }));
    await userEvent.click(await screen.findByRole('button', { name: 'Reset to defaults' }));
    await userEvent.click(screen.getByRole('button', { name: 'Save' }));
    expect(await screen.findByRole('button', { name: 'Settings of this chat' })).toBeInTheDocument();
    expect(changes).toEqual([
      { settings: { system_prompt: null, temperature: null, top_p: null, max_tokens: null } },
    ]);
  });

  it('stay open, with the reason, when they are refused', async () => {
    serve({});
    renderWithQueries(<Chat conversationId="conversation-1" />);
    await userEvent.click(await screen.findByRole('button', { name: 'Settings of this chat' }));
    await userEvent.type(await screen.findByRole('spinbutton', { name: 'Temperature' }), '1.9');
    await userEvent.click(screen.getByRole('button', { name: 'Save' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('Not that hot.');
    expect(screen.getByRole('spinbutton', { name: 'Temperature' })).toHaveValue(1.9);
  });

  it('can be chosen before the first message', async () => {
    serve({}, [CHAMPION, CHALLENGER]);
    const created: unknown[] = [];
    server.use(
      http.post('*/api/conversations', async ({ request }) => {
        created.push(await request.json());
        return HttpResponse.json({ detail: 'Not now.' }, { status: 400 });
      }),
    );
    renderApp('/');
    await userEvent.click(await screen.findByRole('button', { name: 'Model: demo' }));
    await userEvent.click(await screen.findByRole('menuitemradio', { name: /demo-q4/ }));
    await userEvent.click(screen.getByRole('button', { name: 'Settings of this chat' }));
    await userEvent.type(await screen.findByRole('spinbutton', { name: 'Top-p' }), '0.5');
    await userEvent.click(screen.getByRole('button', { name: 'Save' }));
    await userEvent.type(screen.getByRole('textbox', { name: 'Message' }), 'Hello{Enter}');
    await waitFor(() => expect(created).toHaveLength(1));
    expect(created).toEqual([{ settings: makeSettings({ top_p: 0.5, model: 'demo-q4' }) }]);
  });
});

describe('the model', () => {
  it('is not offered while there is only one', async () => {
    serve({});
    renderWithQueries(<Chat conversationId="conversation-1" />);
    expect(await screen.findByTestId('demo-model')).toHaveTextContent('Demo model: tiny');
    expect(screen.queryByRole('button', { name: /^Model:/ })).not.toBeInTheDocument();
  });

  it('is chosen for the conversation; the first is followed rather than kept', async () => {
    const changes = serve({}, [CHAMPION, CHALLENGER]);
    renderWithQueries(<Chat conversationId="conversation-1" />);
    await userEvent.click(await screen.findByRole('button', { name: 'Model: demo' }));
    await userEvent.click(await screen.findByRole('menuitemradio', { name: /demo-q4.*challenger/ }));
    await userEvent.click(await screen.findByRole('button', { name: 'Model: demo-q4' }));
    await userEvent.click(await screen.findByRole('menuitemradio', { name: /^demo(?!-)/ }));
    expect(await screen.findByRole('button', { name: 'Model: demo' })).toBeInTheDocument();
    expect(changes).toEqual([{ settings: { model: 'demo-q4' } }, { settings: { model: null } }]);
  });

  it('that is gone is said to be, until another is chosen', async () => {
    serve({ model: 'old' });
    renderWithQueries(<Chat conversationId="conversation-1" />);
    await userEvent.click(await screen.findByRole('button', { name: 'Model: old, not served any more' }));
    await userEvent.click(await screen.findByRole('menuitemradio', { name: /^demo/ }));
    expect(await screen.findByTestId('demo-model')).toBeInTheDocument();
  });
});
