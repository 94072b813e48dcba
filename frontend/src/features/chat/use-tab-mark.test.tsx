import { act, screen } from '@testing-library/react';
import { beforeEach, expect, it, vi } from 'vitest';
import { FakeEventSource } from '@/testing/fake-event-source';
import { makeMessage, makeThread } from '@/testing/fixtures';
import { renderWithQueries } from '@/testing/render';
import { Cached } from './cached.fixture';

const MADE = makeMessage({ status: 'queued' });

/** Whether the tab is looked at. */
function look(hidden: boolean) {
  vi.spyOn(document, 'hidden', 'get').mockReturnValue(hidden);
  act(() => void document.dispatchEvent(new Event('visibilitychange')));
}

const say = (type: string, data: unknown) => act(() => FakeEventSource.last.say(type, data));

beforeEach(() => {
  FakeEventSource.install();
  vi.restoreAllMocks();
  document.title = 'A question';
  renderWithQueries(<Cached conversation={makeThread([MADE])} />);
});

it('says in the title what is being waited for', () => {
  say('queued', { position: 2, eta_s: 40 });
  expect(document.title).toMatch(/^Queued \(2 ahead\) · /);
  say('reading', { done: 63, total: 100 });
  expect(document.title).toMatch(/^Reading 63 % · /);
});

it('marks an answer that ended while nobody looked, until somebody does', async () => {
  look(true);
  say('end', { message: { ...MADE, status: 'done', content: 'Done' } });
  await screen.findByTestId('figures');
  expect(document.title).toMatch(/^✓ · /);
  look(false);
  expect(document.title).not.toContain('✓');
});

it('marks nothing for somebody who was there', async () => {
  look(false);
  say('end', { message: { ...MADE, status: 'done', content: 'Done' } });
  await screen.findByTestId('figures');
  expect(document.title).not.toContain('✓');
});
