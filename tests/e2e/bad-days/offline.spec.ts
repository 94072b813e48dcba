import type { Page } from '@playwright/test';
import { ask, codeOf, shownCode, storedAnswer } from '../fixtures';
import { AWAY, begin, composer, endAll, expect, grows, test } from '../servers';

test.use({ allowedErrors: AWAY });

/** Waits until the page has fetched what it fetches when it is idle; what colours code is the last of it. */
async function settled(page: Page): Promise<void> {
  await page.waitForFunction(
    (names) => {
      const fetched = performance.getEntriesByType('resource').map(({ name }) => name);
      return names.every((name) => fetched.some((url) => url.includes(name)));
    },
    ['/github-light-high-contrast-', '/github-dark-', '/python-'],
  );
}

test('offline and back: the answer goes on where it was, and what is typed meanwhile can then be sent', async ({
  page,
  context,
  servers,
}) => {
  await begin(page);
  await settled(page);
  // The browser alone refuses new connections; the stream that is open has to be cut.
  await context.setOffline(true);
  await servers('unplug');
  await expect(page.getByTestId('stage')).toContainText('Connection lost');
  await expect(page.getByText('You are offline. Your draft is kept')).toBeVisible();
  const shown = await shownCode(page);
  await composer(page).fill('And with tests?');
  await expect(page.getByText('You are offline', { exact: true })).toBeVisible();

  await servers('plug');
  await context.setOffline(false);
  await expect(page.getByText('You are offline.')).toHaveCount(0);
  await grows(page);
  await endAll(page);
  const whole = codeOf((await storedAnswer(page)).content);
  expect(whole.startsWith(shown)).toBe(true);
  await expect.poll(() => shownCode(page)).toBe(whole);

  await expect(composer(page)).toHaveValue('And with tests?');
  await composer(page).press('Enter');
  await expect(page.getByTestId('answer')).toHaveCount(2);
  await grows(page);
  await endAll(page);
});

test('a message that cannot leave is kept, and goes through on Retry', async ({ page, servers }) => {
  await page.goto('/');
  await expect(composer(page)).toBeVisible();
  await settled(page);
  await servers('unplug');
  await ask(page, 'Are you there?');
  await expect(page.getByRole('alert')).toContainText('The server cannot be reached. Check your connection');
  await expect(composer(page)).toHaveValue('Are you there?');
  await servers('plug');
  await page.getByRole('button', { name: 'Retry' }).click();
  await grows(page);
  await endAll(page);
});
