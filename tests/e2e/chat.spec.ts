import { ask, codeOf, composer, expect, shownCode, storedAnswer, test, untilFinished } from './fixtures';

test('a question can follow an answer in the same conversation', async ({ page }) => {
  await page.goto('/');
  await ask(page, 'Write a Python function that reverses a string.');
  await untilFinished(page);
  const first = page.url();
  await ask(page, 'Write a Python function is_even(n).');
  await expect(page.getByTestId('answer')).toHaveCount(2);
  await untilFinished(page);
  expect(page.url()).toBe(first);
  await expect(composer(page)).toHaveValue('');
});

test.describe('while a proxy refuses', () => {
  test.use({ allowedErrors: [/502 \(Bad Gateway\)/] });

  test('a stream is taken up again', async ({ page }) => {
    let refusals = 2;
    await page.route('**/api/generations/*/events*', (route) => {
      refusals -= 1;
      return refusals >= 0 ? route.fulfill({ status: 502 }) : route.continue();
    });
    await page.goto('/');
    await ask(page, 'Write a Python function that reverses a string.');
    await untilFinished(page);
    await expect.poll(() => shownCode(page)).toBe(codeOf((await storedAnswer(page)).content));
  });
});

test.describe('when the queue is full', () => {
  test.use({ allowedErrors: [/429 \(Too Many Requests\)/] });

  test('the message is sent again by itself, once', async ({ page }) => {
    const keys: unknown[] = [];
    await page.route('**/api/conversations/*/messages', (route) => {
      keys.push(route.request().postDataJSON().idempotency_key);
      if (keys.length > 1) return route.continue();
      return route.fulfill({
        status: 429,
        headers: { 'Retry-After': '1', 'Content-Type': 'application/problem+json' },
        body: JSON.stringify({
          title: 'Too Many Requests',
          status: 429,
          detail: 'The queue is full.',
          code: 'queue_full',
        }),
      });
    });
    await page.goto('/');
    await ask(page, 'Write a Python function that reverses a string.');
    await expect(page.getByText(/The queue is full\..*Sending again in/)).toBeVisible();
    await untilFinished(page);
    expect(new Set(keys).size).toBe(1);
    await expect(page.getByTestId('answer')).toHaveCount(1);
  });
});

test.describe('when the database is away', () => {
  test.use({ allowedErrors: [/503 \(Service Unavailable\)/] });

  test('the draft is kept, through a reload too, and can be sent again', async ({ page }) => {
    let away = true;
    await page.route('**/api/conversations/*/messages', (route) =>
      away
        ? route.fulfill({
            status: 503,
            headers: { 'Content-Type': 'application/problem+json' },
            body: JSON.stringify({
              title: '',
              status: 503,
              detail: 'The database is away.',
              code: 'database_unavailable',
            }),
          })
        : route.continue(),
    );
    const prompt = 'Write a Python function that reverses a string.';
    await page.goto('/');
    await ask(page, prompt);
    await expect(page.getByRole('alert')).toContainText('The database is away.');
    await expect(composer(page)).toHaveValue(prompt);
    away = false;
    await page.getByRole('button', { name: 'Retry' }).click();
    await untilFinished(page);
  });
});
