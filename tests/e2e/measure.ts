/** How soon things are seen; `npm run measure` prints it. These are measurements: no test runs them, none fails by them. */
import type { Page } from '@playwright/test';
import { ask, expect, lastAnswer, test, untilFinished } from './fixtures';
import { takeIn } from './history';

const ROUNDS = Number(process.env.ROUNDS ?? 15);
const MESSAGES = 1000;

declare global {
  interface Window {
    /** Milliseconds from the arrival of text in the browser until it was painted. */
    painted: number[];
    opened: number | null;
  }
}

function report(what: string, milliseconds: number[]): void {
  const sorted = milliseconds.toSorted((one, other) => one - other);
  const at = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
  const figures = [0.5, 0.95].map((share) => `p${share * 100} ${at(share).toFixed(0)} ms`).join(', ');
  // biome-ignore lint/suspicious/noConsole: this is what the program is for
  console.log(`${what}: ${figures} (${sorted.length} times)`);
}

/** From the event in the page's EventSource until the frame is out in which the answer's text has become longer. */
async function watchPaints(page: Page): Promise<void> {
  await page.addInitScript(() => {
    window.painted = [];
    const length = () =>
      Array.from(document.querySelectorAll('[data-testid=answer]')).at(-1)?.textContent?.length ?? 0;
    const Native = window.EventSource;
    window.EventSource = class extends Native {
      constructor(url: string | URL, options?: EventSourceInit) {
        super(url, options);
        this.addEventListener('text', () => {
          const arrived = performance.now();
          const before = length();
          const look = () => {
            if (length() <= before) return void requestAnimationFrame(look);
            const channel = new MessageChannel();
            channel.port1.onmessage = () => window.painted.push(performance.now() - arrived);
            channel.port2.postMessage(null);
          };
          requestAnimationFrame(look);
        });
      }
    };
  });
}

test('from the arrival of text to its paint', async ({ page }) => {
  await watchPaints(page);
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    await page.goto('/');
    await ask(page, 'Write a unittest.TestCase with ten test methods for a calculator.');
    await untilFinished(page);
    times.push(...(await page.evaluate(() => window.painted)));
  }
  report('text arrived → painted (the server adds at most 40 ms of coalescing)', times);
});

test(`opening a conversation of ${MESSAGES} messages`, async ({ page }) => {
  await page.goto('/');
  const turns = Array.from({ length: MESSAGES / 2 }, (_, index) => ({
    question: `Question ${index}: how do I reverse a list?`,
    answer: `Answer ${index}:\n\n\`\`\`python\nreversed_${index} = items[::-1]\nprint(reversed_${index})\n\`\`\`\n\nA slice copies.`,
  }));
  const title = `Long ${Date.now()}`;
  await takeIn(page, turns, title);
  for (const kind of ['first', 'again'] as const) {
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      if (kind === 'first') await page.goto('/');
      else await page.getByRole('link', { name: 'New chat' }).first().click();
      const link = page.getByRole('link', { name: title });
      await expect(link).toBeVisible();
      await page.waitForLoadState('networkidle');
      times.push(await openingTime(page, title, `Answer ${MESSAGES / 2 - 1}:`));
      await expect(lastAnswer(page)).toBeInViewport();
    }
    report(`click → end of ${MESSAGES} messages painted, ${kind === 'first' ? 'fetched' : 'cached'}`, times);
  }
});

/** Clicks and waits inside the page, so that no round trip to the browser is part of it. */
function openingTime(page: Page, title: string, last: string): Promise<number> {
  return page.evaluate(
    ([name, text]) =>
      new Promise<number>((resolve) => {
        const link = Array.from(document.querySelectorAll('nav a')).find((each) =>
          each.textContent?.includes(name),
        );
        const begin = performance.now();
        (link as HTMLElement).click();
        const isShown = () => {
          const answer = Array.from(document.querySelectorAll('[data-testid=answer]')).at(-1);
          const box = answer?.getBoundingClientRect();
          return Boolean(
            answer?.textContent?.includes(text) && box && box.top < innerHeight && box.bottom > 0,
          );
        };
        const look = () => {
          if (!isShown()) return void requestAnimationFrame(look);
          const channel = new MessageChannel();
          channel.port1.onmessage = () => resolve(performance.now() - begin);
          channel.port2.postMessage(null);
        };
        requestAnimationFrame(look);
      }),
    [title, last] as const,
  );
}
