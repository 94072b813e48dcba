import { lastAnswer, storedAnswer, untilFinished } from '../fixtures';
import { AWAY, begin, endAll, expect, grows, test } from '../servers';

test.use({ baseURL: process.env.PODS_URL, allowedErrors: AWAY });

test('an answer whose pod dies is shown by the other, marked, and goes on there', async ({
  page,
  servers,
}) => {
  const shown = await begin(page);
  await expect.poll(async () => (await storedAnswer(page)).content.length).toBeGreaterThan(shown.length);
  await servers('kill-writer');
  await untilFinished(page);
  await expect(lastAnswer(page)).toHaveAttribute('data-status', 'interrupted');
  const { content } = await storedAnswer(page);
  expect(content.length).toBeGreaterThan(shown.length);
  await page.getByRole('button', { name: 'Continue' }).click();
  await grows(page);
  await endAll(page);
  expect((await storedAnswer(page)).content.startsWith(content)).toBe(true);
  await servers('start');
});
