import { ask, lastAnswer } from '../fixtures';
import { takeIn } from '../history';
import { composer, endAll, expect, grows, test } from '../servers';

test('two tabs on one conversation show the same', async ({ page, context }) => {
  await page.goto('/');
  const id = await takeIn(page, [{ question: 'Before', answer: 'An answer.' }]);
  const other = await context.newPage();
  for (const each of [page, other]) {
    await each.goto(`/c/${id}`);
    await expect(each.getByText('An answer.')).toBeVisible();
  }
  await ask(page, 'Asked in the one');
  await expect(other.getByText('Asked in the one')).toBeVisible();
  await grows(other);
  await other.getByRole('button', { name: 'Stop' }).click();
  await expect(lastAnswer(page)).toHaveAttribute('data-status', 'stopped');
  await expect(lastAnswer(other)).toHaveAttribute('data-status', 'stopped');
  await ask(other, 'Asked in the other');
  await expect(page.getByText('Asked in the other')).toBeVisible();
  await grows(page);
  await endAll(page);
  for (const each of [page, other]) await expect(each.getByTestId('answer')).toHaveCount(3);
});

test('each tab keeps its own draft', async ({ page, context }) => {
  await page.goto('/');
  const id = await takeIn(page, [{ question: 'Before', answer: 'An answer.' }]);
  const other = await context.newPage();
  await page.goto(`/c/${id}`);
  await other.goto(`/c/${id}`);
  await composer(page).fill('written in the one');
  await composer(other).fill('written in the other');
  await page.reload();
  await expect(composer(page)).toHaveValue('written in the one');
  await other.reload();
  await expect(composer(other)).toHaveValue('written in the other');
  await ask(other, 'written in the other');
  await grows(other);
  await expect(composer(page)).toHaveValue('written in the one');
  await endAll(other);
});
