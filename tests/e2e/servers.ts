import type { APIRequestContext, Page } from '@playwright/test';
import { ask, test as base, composer, expect, isBeingMade, lastAnswer, storedAnswer } from './fixtures';

type Action =
  | 'kill'
  | 'terminate'
  | 'start'
  | 'kill-writer'
  | 'cut'
  | 'restore'
  | 'unplug'
  | 'plug'
  | 'sign-members-out';

interface Servers {
  /** Does something to the servers; it has been done when this returns. */
  servers: (action: Action) => Promise<void>;
}

/** Tests whose servers and databases come and go. Every answer is endless there, so that there is always a middle. */
export const test = base.extend<Servers>({
  servers: async ({ playwright }, use) => {
    const request: APIRequestContext = await playwright.request.newContext({
      baseURL: process.env.CONTROL_URL,
    });
    await use(async (action) => {
      const response = await request.post(`/${action}`, { timeout: 120_000 });
      expect(response.status(), action).toBe(204);
    });
    await request.post('/mend', { timeout: 120_000 });
    await request.dispose();
  },
});

/** What a browser says of itself while a server is away. */
export const AWAY = [/50[234] \(|ERR_(CONNECTION|EMPTY|INCOMPLETE|HTTP2|NETWORK|INTERNET|ABORTED)/];

/** Asks in a new conversation, and waits for some text of the answer. */
export async function begin(page: Page, prompt = 'Write a module about parsing.'): Promise<string> {
  await page.goto('/');
  await ask(page, prompt);
  await grows(page);
  return (await lastAnswer(page).textContent()) ?? '';
}

/** Waits until the newest answer, which is still being made, has some text, or more than it has now. */
export async function grows(page: Page): Promise<void> {
  const answer = lastAnswer(page);
  await expect(answer).toHaveAttribute('aria-busy', 'true');
  const length = async () => ((await answer.textContent()) ?? '').length;
  const now = await length();
  await expect.poll(length, { timeout: 120_000 }).toBeGreaterThan(now + 80);
  expect(await isBeingMade(page)).toBe(true);
}

/** Stops what is being written in the conversation that the page shows. */
export async function endAll(page: Page): Promise<void> {
  const { id, status } = await storedAnswer(page);
  if (!['queued', 'reading', 'writing'].includes(status)) return;
  const headers = { Origin: new URL(page.url()).origin };
  expect((await page.request.post(`/api/generations/${id}/stop`, { headers })).status()).toBe(202);
  await expect(lastAnswer(page)).toHaveAttribute('aria-busy', 'false', { timeout: 60_000 });
}

export { composer, expect };
