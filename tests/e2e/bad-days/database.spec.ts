import { ask, storedAnswer } from '../fixtures';
import { AWAY, begin, composer, endAll, expect, grows, test } from '../servers';

test.use({ allowedErrors: AWAY });

test('a database that goes away harms no answer that is being written', async ({ page, servers }) => {
  await begin(page);
  await servers('cut');
  await grows(page);
  await servers('restore');
  await grows(page);
  await endAll(page);
  expect((await storedAnswer(page)).status).toBe('stopped');
});

test('without a database a message is kept as a draft, through a reload too', async ({ page, servers }) => {
  await page.goto('/');
  await expect(composer(page)).toBeVisible();
  await servers('cut');
  await ask(page, 'Are you there?');
  await expect(page.getByRole('alert')).toContainText('database');
  await expect(composer(page)).toHaveValue('Are you there?');
  await page.reload();
  await expect(composer(page)).toHaveValue('Are you there?');
  await servers('restore');
  await composer(page).press('Enter');
  await grows(page);
  await endAll(page);
});
