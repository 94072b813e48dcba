import type { Page } from '@playwright/test';
import { ask, storedAnswer } from '../fixtures';
import { composer, endAll, expect, test } from '../servers';

test.use({ allowedErrors: [/429 \(Too Many Requests\)/] });

const MOST = 200;

/** Asks, in conversations that no page shows, until the server takes no more; gives the answers that wait or run. */
async function fillQueue(page: Page): Promise<string[]> {
  const headers = { Origin: new URL(page.url()).origin };
  const post = (path: string, data: object) => page.request.post(path, { headers, data });
  const answers: string[] = [];
  while (answers.length < MOST) {
    const { id } = (await (await post('/api/conversations', {})).json()) as { id: string };
    const sent = await post(`/api/conversations/${id}/messages`, { content: 'Write a module.' });
    if (sent.status() === 429) return answers;
    expect(sent.status(), await sent.text()).toBe(202);
    answers.push(((await sent.json()) as { assistant_message: { id: string } }).assistant_message.id);
  }
  throw new Error(`${MOST} answers were taken at once`);
}

test('a full server counts down, and the message is sent by itself once others are done', async ({
  page,
}) => {
  await page.goto('/');
  const answers = await fillQueue(page);
  await ask(page, 'Write a Python function that reverses a string.');
  await expect(page.getByText(/Sending again in \d+ s\./)).toBeVisible();
  await expect(composer(page)).toHaveValue('Write a Python function that reverses a string.');
  const headers = { Origin: new URL(page.url()).origin };
  for (const id of answers) await page.request.post(`/api/generations/${id}/stop`, { headers });
  await expect(page.getByTestId('answer')).toHaveCount(1, { timeout: 120_000 });
  await expect(page.getByText('Sending again in')).toHaveCount(0);
  await expect(composer(page)).toHaveValue('');
  await expect.poll(async () => (await storedAnswer(page)).content.length).toBeGreaterThan(0);
  await endAll(page);
});
