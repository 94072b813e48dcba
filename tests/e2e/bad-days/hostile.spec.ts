import type { Page } from '@playwright/test';
import { ask, paste, storedAnswer, untilFinished } from '../fixtures';
import { takeIn } from '../history';
import { composer, expect, test } from '../servers';

declare global {
  interface Window {
    executed?: number;
  }
}

const HOSTILE = `<script>window.executed = 1</script>
<img src="x" onerror="window.executed = 1">
<svg onload="window.executed = 1"><circle r="9"/></svg>
<iframe srcdoc="<script>parent.executed = 1</script>"></iframe>
<a href="javascript:window.executed = 1">here</a>
<details open ontoggle="window.executed = 1">d</details>
<form action="https://elsewhere.example"><button>send</button></form>
<style>body { display: none }</style>

[a link](javascript:window.executed=1) [data](data:text/html,<script>window.executed=1</script>)
[vb](vbscript:x) ![picture](https://elsewhere.example/pixel.png) ![js](javascript:window.executed=1)
<https://elsewhere.example/"onmouseover="window.executed=1>

\`\`\`html" onload="window.executed=1
<script>window.executed = 1</script>
\`\`\`

\`\`\`svg
<svg onload="window.executed = 1"></svg>
\`\`\`
`;

async function nothingWasExecuted(page: Page): Promise<void> {
  const links = page.getByTestId('answer').getByRole('link');
  for (const href of await links.evaluateAll((all) => all.map((link) => link.getAttribute('href') ?? '')))
    expect(href).toMatch(/^(https?:|mailto:|#|$)/);
  expect(
    await page.getByTestId('answer').locator('script, iframe, svg[onload], img, form, style').count(),
  ).toBe(0);
  expect(await page.evaluate(() => window.executed)).toBeUndefined();
}

test('what looks like a page in answers, questions and titles is text', async ({ page }) => {
  page.on('dialog', () => {
    throw new Error('a dialog was opened');
  });
  await page.goto('/');
  const id = await takeIn(
    page,
    [{ question: HOSTILE, answer: HOSTILE }],
    '<img src=x onerror=window.executed=1>',
  );
  await page.goto(`/c/${id}`);
  await expect(page.getByTestId('answer')).toContainText('<script>window.executed = 1</script>');
  await nothingWasExecuted(page);
  await expect(page).toHaveTitle(/<img src=x/);
  for (const link of await page.getByTestId('answer').getByRole('link').all()) await link.hover();
  await nothingWasExecuted(page);
});

const lines = (count: number, line: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => line(index)).join('\n');

const BOMBS: Record<string, string> = {
  'quotes in quotes': `${'> '.repeat(3000)}deep`,
  'lists in lists': lines(400, (index) => `${'  '.repeat(index)}- item`),
  '10,000 list items': lines(10_000, (index) => `- item ${index}`),
  'a table of 5,000 rows': `| a | b | c |\n|---|---|---|\n${lines(5000, (index) => `| ${index} | x | y |`)}`,
  'a line of a million backticks': '`'.repeat(1_000_000),
  'unclosed brackets': '['.repeat(20_000),
  'unclosed images': '![a]('.repeat(5000),
  'unclosed emphasis': '*a _b '.repeat(20_000),
  'brackets in brackets': `${'['.repeat(3000)}x${']'.repeat(3000)}(y)`,
  'angle brackets': '<a '.repeat(20_000),
  entities: '&'.repeat(100_000),
  '50,000 lines of code': `\`\`\`python\n${lines(50_000, (index) => `x${index} = ${index}`)}\n\`\`\`\n`,
  '50,000 lines of text': lines(50_000, (index) => `line ${index}`),
};

for (const [name, answer] of Object.entries(BOMBS)) {
  test(`an answer with ${name} leaves the page usable`, async ({ page }) => {
    await page.goto('/');
    const id = await takeIn(page, [{ question: name, answer }], name);
    await page.goto(`/c/${id}`);
    await expect(page.getByTestId('answer')).not.toBeEmpty();
    await composer(page).fill('still here');
    await expect(composer(page)).toHaveValue('still here');
    await page.getByRole('button', { name: 'Correct', exact: true }).click();
    await expect(page.getByRole('dialog')).toBeVisible();
  });
}

test.describe('streamed', () => {
  test.use({ baseURL: process.env.ECHO_URL });

  test('what looks like a page is text in a question and in an answer while it comes', async ({ page }) => {
    await page.goto('/');
    await ask(page, HOSTILE);
    await untilFinished(page);
    expect((await storedAnswer(page)).content.trim()).toBe(HOSTILE.trim());
    await expect(page.getByTestId('answer')).toContainText('<script>window.executed = 1</script>');
    await nothingWasExecuted(page);
  });

  for (const name of ['quotes in quotes', '10,000 list items', 'unclosed images', 'a table of 5,000 rows']) {
    test(`an answer with ${name} leaves the page usable while it comes`, async ({ page }) => {
      await page.goto('/');
      await paste(page, BOMBS[name] ?? '');
      await composer(page).press('Enter');
      await expect(page.getByTestId('answer')).toBeVisible();
      await composer(page).fill('still here');
      await expect(composer(page)).toHaveValue('still here');
      await untilFinished(page);
      expect((await storedAnswer(page)).status).toBe('done');
      await composer(page).fill('and still');
      await expect(composer(page)).toHaveValue('and still');
    });
  }
});

test('100 KB of pasted text is taken and answered', async ({ page }) => {
  const text = lines(4000, (index) => `value_${index} = compute(${index})`);
  expect(text.length).toBeGreaterThan(100_000);
  await page.goto('/');
  await paste(page, text);
});

test('a prompt that is too long for the model is kept, and the page says what to cut', async ({ page }) => {
  const text = lines(4000, (index) => `value_${index} = compute(${index})`);
  await page.goto('/');
  await paste(page, text);
  await expect(page.getByText(/tokens too long: the model reads [\d,]+ at most\. Shorten/)).toBeVisible();
  await composer(page).press('Enter');
  await expect(page.getByRole('button', { name: /^Send \(.*tokens too long\)/ })).toBeDisabled();
  await expect(composer(page)).toHaveValue(text);
  await expect(page).toHaveURL('/');
});
