import type { Page } from '@playwright/test';
import {
  ask,
  composer,
  expect,
  inTheMiddle,
  isBeingMade,
  lastAnswer,
  stop,
  storedAnswer,
  test,
  untilFinished,
} from './fixtures';

/** The code of the newest answer as the page shows it, without white space. */
function shownCode(): string {
  const bodies = document.querySelectorAll('[data-testid=answer] [data-streamdown=code-block-body]');
  return Array.from(bodies, (body) => body.textContent ?? '')
    .join('')
    .replaceAll(/\s+/g, '');
}

/** The same of a stored answer: what stands between its fences. */
function codeOf(content: string): string {
  const parts = content.split(/^```.*$/m);
  return parts
    .filter((_, index) => index % 2 === 1)
    .join('')
    .replaceAll(/\s+/g, '');
}

/** Collects what the page shows for as long as the answer grows, or until there are enough different steps. */
async function stepsOf(page: Page, enough: number): Promise<Set<string>> {
  const steps = new Set<string>();
  while (steps.size < enough && (await isBeingMade(page))) steps.add(await page.evaluate(shownCode));
  return steps;
}

function expectBeginnings(steps: Iterable<string>, whole: string): void {
  for (const step of steps)
    expect(whole.startsWith(step), `${step}\nis no beginning of\n${whole}`).toBe(true);
}

test('an answer appears in several steps, and each is a beginning of what is stored', async ({ page }) => {
  let steps = new Set<string>();
  await inTheMiddle(page, async () => {
    steps = await stepsOf(page, 5);
    return steps.size >= 5;
  });
  await stop(page);
  expectBeginnings(steps, codeOf((await storedAnswer(page)).content));
});

test('the stage line says that the answer is being written, then gives way to its figures', async ({
  page,
}) => {
  await inTheMiddle(page, async () => {
    const [stage] = await page.getByTestId('stage').allTextContents();
    return stage?.includes('Writing') ?? false;
  });
  await stop(page);
  await expect(page.getByTestId('stage')).toHaveCount(0);
  await expect(page.getByTestId('figures')).toContainText(/tokens.*first token.*total.*tok\/s/);
});

test('a reload in the middle goes on, and nothing is lost or doubled', async ({ page }) => {
  let steps = new Set<string>();
  await inTheMiddle(page, async () => {
    const before = await page.evaluate(shownCode);
    await page.reload();
    await expect(lastAnswer(page)).toBeVisible();
    const after = await stepsOf(page, 4);
    steps = new Set([before, ...after]);
    return after.size >= 4;
  });
  await untilFinished(page);
  const { content, status } = await storedAnswer(page);
  expect(status).toBe('done');
  expectBeginnings(steps, codeOf(content));
  await expect.poll(() => page.evaluate(shownCode)).toBe(codeOf(content));
});

test('a stopped answer stays stopped after a reload', async ({ page }) => {
  await inTheMiddle(page, () => stop(page));
  await expect(page.getByTestId('outcome')).toContainText('Stopped');
  const { status, content } = await storedAnswer(page);
  expect(status).toBe('stopped');
  await page.reload();
  await expect(page.getByTestId('outcome')).toContainText('Stopped');
  await expect(page.getByRole('button', { name: 'Try again' })).toBeVisible();
  await expect.poll(() => page.evaluate(shownCode)).toBe(codeOf(content));
  expect((await storedAnswer(page)).content).toBe(content);
});

test('two viewers see the same answer grow', async ({ page, context }) => {
  const second = await context.newPage();
  await inTheMiddle(page, async () => {
    await second.goto(page.url(), { waitUntil: 'commit' });
    await expect(lastAnswer(second)).toBeVisible();
    const grew = (await stepsOf(second, 3)).size >= 3;
    return grew && (await stop(page));
  });
  await untilFinished(second);
  expect(await second.evaluate(shownCode)).toBe(await page.evaluate(shownCode));
});

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
    await expect.poll(() => page.evaluate(shownCode)).toBe(codeOf((await storedAnswer(page)).content));
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
